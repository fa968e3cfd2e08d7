// What a doctor sees of the day, in the order in which it matters.

import type { Appointment } from '../api';
import { participant } from '../appointments/people';
import { type BoardKind, type BoardState, boardState } from '../staff/board-state';
import { isoDay } from '../time/format';

export interface Today {
  /** Somebody is there, or should be. */
  current: Appointment[];
  later: Appointment[];
  earlier: Appointment[];
}

const CURRENT: ReadonlySet<BoardKind> = new Set(['open', 'waiting', 'inCall', 'late', 'left']);
const LATER: ReadonlySet<BoardKind> = new Set(['confirmed', 'soon']);

/** A patient who is alone in the call comes first, then who is in one, then who is awaited. */
function urgency(state: BoardState): number {
  if (state.waiting === 'patient') return 0;
  if (state.kind === 'inCall' || state.kind === 'waiting') return 1;
  return state.kind === 'left' ? 3 : 2;
}

/**
 * The appointments of `day`, and those of another day whose call is going on. What is only
 * requested is not among them: it has a list of its own.
 */
export function arrangeToday(
  appointments: readonly Appointment[],
  now: number,
  day: string,
  timeZone: string,
): Today {
  const today: Today = { current: [], later: [], earlier: [] };
  const states = new Map<Appointment, BoardState>();
  for (const appointment of appointments) {
    const state = boardState(appointment, now);
    states.set(appointment, state);
    if (state.kind === 'requested') continue;
    const ofToday = isoDay(appointment.startsAt, timeZone) === day;
    const open = now < Date.parse(appointment.join.closesAt);
    if (CURRENT.has(state.kind)) {
      if (ofToday || open) today.current.push(appointment);
    } else if (ofToday) (LATER.has(state.kind) ? today.later : today.earlier).push(appointment);
  }
  const rank = (appointment: Appointment) => {
    const state = states.get(appointment);
    return state ? urgency(state) : Infinity;
  };
  today.current.sort((a, b) => rank(a) - rank(b) || a.startsAt.localeCompare(b.startsAt));
  return today;
}

export interface WaitingPatient {
  appointmentId: string;
  name: string;
  /** Milliseconds since 1970. */
  since: number;
}

/** The patients who are in a call without the doctor, who waits longest first. */
export function waitingPatients(
  appointments: readonly Appointment[],
  now: number,
): WaitingPatient[] {
  return appointments
    .map((appointment) => ({ appointment, state: boardState(appointment, now) }))
    .filter(({ state }) => state.waiting === 'patient')
    .map(({ appointment, state }) => ({
      appointmentId: appointment.id,
      name: participant(appointment, 'PATIENT')?.displayName ?? '',
      since: state.since ?? now,
    }))
    .sort((a, b) => a.since - b.since);
}
