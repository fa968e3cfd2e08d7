// The board without a screen: columns, order, and what may be done with an appointment.

import type { Appointment, Doctor, Role } from '../api';
import { participant } from '../appointments/people';
import { type BoardState, boardState, type Group, groupsOf } from './board-state';

export type Action = 'confirm' | 'decline' | 'move' | 'cancel' | 'complete' | 'noShow';

export interface BoardVisit {
  appointment: Appointment;
  state: BoardState;
  /** What the viewer may do with it now. */
  actions: readonly Action[];
}

export interface Column {
  doctorId: string;
  name: string;
  speciality: string;
  visits: BoardVisit[];
  /** Cancelled and declined: out of the way. */
  off: BoardVisit[];
}

export function boardVisits(
  appointments: readonly Appointment[],
  now: number,
  role: Role,
): BoardVisit[] {
  return appointments.map((appointment) => {
    const state = boardState(appointment, now);
    return { appointment, state, actions: actionsOf(appointment, state, role, now) };
  });
}

/** Whether both look the same: each answer of the server is new, what it says mostly is not. */
export function isSameVisit(a: BoardVisit, b: BoardVisit): boolean {
  const shown = ({ appointment, state, actions }: BoardVisit) =>
    JSON.stringify([appointment.id, appointment.version, state, actions]);
  return shown(a) === shown(b);
}

const isOff = ({ state }: BoardVisit) => groupsOf(state).includes('off');

/**
 * A column for each doctor who has something on the board, in the order of the doctors. With a
 * filter only what is in that group is there, also what is usually out of the way. Doctors who have
 * left the clinic have their column at the end.
 */
export function columnsOf(
  visits: readonly BoardVisit[],
  doctors: readonly Doctor[],
  filter: Group | null,
): Column[] {
  const columns = new Map<string, Column>(
    doctors.map(({ id, displayName, speciality }) => [
      id,
      { doctorId: id, name: displayName, speciality, visits: [], off: [] },
    ]),
  );
  for (const visit of visits) {
    if (filter && !groupsOf(visit.state).includes(filter)) continue;
    const doctor = participant(visit.appointment, 'DOCTOR');
    const doctorId = doctor?.personId ?? '';
    let column = columns.get(doctorId);
    if (!column) {
      column = { doctorId, name: doctor?.displayName ?? '', speciality: '', visits: [], off: [] };
      columns.set(doctorId, column);
    }
    (filter === null && isOff(visit) ? column.off : column.visits).push(visit);
  }
  return [...columns.values()].filter(({ visits: shown, off }) => shown.length + off.length > 0);
}

/** What clinic staff may do with it now; the server has the last word. Admins only look. */
function actionsOf(
  appointment: Appointment,
  state: BoardState,
  role: Role,
  now: number,
): readonly Action[] {
  if (role !== 'STAFF') return [];
  switch (state.kind) {
    case 'requested':
      return ['confirm', 'decline', 'cancel'];
    case 'completed':
      return ['noShow'];
    case 'noShow':
      return ['complete'];
    case 'cancelled':
    case 'declined':
      return [];
    default:
      return now >= Date.parse(appointment.startsAt)
        ? ['noShow', 'move', 'cancel']
        : ['move', 'cancel'];
  }
}
