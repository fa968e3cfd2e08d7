// What the clinic should know of an appointment now, from its record and the server's time. One
// pure function, so that the board, the doctor's home and the alert never disagree.

import type { Appointment, Participant } from '../api';

/** The two sides of a visit; interpreters and guests belong to neither. */
export type Side = 'patient' | 'doctor';

export type BoardKind =
  | 'requested'
  | 'confirmed'
  /** The call opens within a quarter of an hour. */
  | 'soon'
  /** The call is open, the start has not come, and nobody is there. */
  | 'open'
  /** One side is in the call alone; nobody is late. */
  | 'waiting'
  | 'inCall'
  /** The start has passed and a side never came. */
  | 'late'
  /** Both sides were there, and nobody is now. */
  | 'left'
  | 'completed'
  | 'noShow'
  | 'cancelled'
  | 'declined';

export interface BoardState {
  kind: BoardKind;
  /** Who is meant: waits, is late, or did not come. */
  who: readonly Side[];
  /** In the call alone, also when the other side is late. */
  waiting?: Side;
  /** Milliseconds since 1970. Of waiting: since when alone; of inCall: since when together. */
  since?: number;
}

/** So long before the opening an appointment counts as about to open. */
export const SOON_MS = 15 * 60_000;

interface Presence {
  in?: number;
  left?: number;
}

function presenceOf(appointment: Appointment, type: Participant['type']): Presence {
  const found = appointment.participants.find((participant) => participant.type === type);
  return {
    ...(found?.inCallSince && { in: Date.parse(found.inCallSince) }),
    ...(found?.leftCallAt && { left: Date.parse(found.leftCallAt) }),
  };
}

const came = (presence: Presence) => presence.in !== undefined || presence.left !== undefined;

/** `now` is the server's time in milliseconds since 1970. */
export function boardState(appointment: Appointment, now: number): BoardState {
  switch (appointment.status) {
    case 'REQUESTED':
      return { kind: 'requested', who: [], since: Date.parse(appointment.createdAt) };
    case 'COMPLETED':
      return { kind: 'completed', who: [], since: Date.parse(appointment.updatedAt) };
    case 'CANCELLED':
      return { kind: 'cancelled', who: [], since: Date.parse(appointment.updatedAt) };
    case 'DECLINED':
      return { kind: 'declined', who: [], since: Date.parse(appointment.updatedAt) };
    case 'NO_SHOW':
      return {
        kind: 'noShow',
        who: missedBy(appointment),
        since: Date.parse(appointment.updatedAt),
      };
    case 'CONFIRMED':
      return confirmedState(appointment, now);
  }
}

function missedBy(appointment: Appointment): readonly Side[] {
  if (appointment.noShow === 'PATIENT') return ['patient'];
  if (appointment.noShow === 'DOCTOR') return ['doctor'];
  return appointment.noShow === 'BOTH' ? ['patient', 'doctor'] : [];
}

function confirmedState(appointment: Appointment, now: number): BoardState {
  const patient = presenceOf(appointment, 'PATIENT');
  const doctor = presenceOf(appointment, 'DOCTOR');
  if (patient.in !== undefined && doctor.in !== undefined)
    return { kind: 'inCall', who: [], since: Math.max(patient.in, doctor.in) };

  const alone = aloneIn(patient, doctor);
  const startsAt = Date.parse(appointment.startsAt);
  if (now >= startsAt) {
    const missing: Side[] = [];
    if (!came(patient)) missing.push('patient');
    if (!came(doctor)) missing.push('doctor');
    if (missing.length > 0)
      return {
        kind: 'late',
        who: missing,
        since: alone?.since ?? startsAt,
        ...(alone && { waiting: alone.side }),
      };
  }
  if (alone) return { kind: 'waiting', who: [alone.side], waiting: alone.side, since: alone.since };
  if (came(patient) && came(doctor))
    return { kind: 'left', who: [], since: Math.max(patient.left ?? 0, doctor.left ?? 0) };

  const opensAt = Date.parse(appointment.join.opensAt);
  if (now >= opensAt) return { kind: 'open', who: [], since: opensAt };
  return { kind: now >= opensAt - SOON_MS ? 'soon' : 'confirmed', who: [] };
}

/** Who is in the call without the other side, and since when: the other may have been there. */
function aloneIn(patient: Presence, doctor: Presence): { side: Side; since: number } | undefined {
  if (patient.in !== undefined)
    return { side: 'patient', since: Math.max(patient.in, doctor.left ?? 0) };
  if (doctor.in !== undefined)
    return { side: 'doctor', since: Math.max(doctor.in, patient.left ?? 0) };
  return undefined;
}

/** The next instant at which time alone changes a state; undefined: none will. */
export function nextEdge(appointments: readonly Appointment[], now: number): number | undefined {
  let next: number | undefined;
  for (const appointment of appointments) {
    if (appointment.status !== 'CONFIRMED') continue;
    const opensAt = Date.parse(appointment.join.opensAt);
    const edges = [
      opensAt - SOON_MS,
      opensAt,
      Date.parse(appointment.startsAt),
      Date.parse(appointment.join.closesAt),
    ];
    for (const edge of edges) if (edge > now && (next === undefined || edge < next)) next = edge;
  }
  return next;
}

/** What the board can be filtered by, in its order: where somebody should look comes first. */
export const GROUPS = [
  'requested',
  'waiting',
  'late',
  'inCall',
  'upcoming',
  'done',
  'noShow',
  'off',
] as const;
export type Group = (typeof GROUPS)[number];

const GROUP_OF: Record<BoardKind, Group> = {
  requested: 'requested',
  confirmed: 'upcoming',
  soon: 'upcoming',
  open: 'upcoming',
  waiting: 'waiting',
  inCall: 'inCall',
  late: 'late',
  left: 'done',
  completed: 'done',
  noShow: 'noShow',
  cancelled: 'off',
  declined: 'off',
};

/** Each state is in one group, but who waits for somebody late is found under both. */
export function groupsOf(state: BoardState): readonly Group[] {
  const group = GROUP_OF[state.kind];
  return group === 'late' && state.waiting ? ['late', 'waiting'] : [group];
}

export function countGroups(states: Iterable<BoardState>): Record<Group, number> {
  const counts = Object.fromEntries(GROUPS.map((group) => [group, 0])) as Record<Group, number>;
  for (const state of states) for (const group of groupsOf(state)) counts[group] += 1;
  return counts;
}
