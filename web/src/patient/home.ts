// What of somebody's appointments the home shows where. The server's decisions sort them; no clock
// of the page does.

import type { Appointment } from '../api';

export interface Home {
  /** Confirmed, and its call is open or still to come. */
  next: Appointment | null;
  later: Appointment[];
  /** The doctor has not answered yet. */
  requests: Appointment[];
}

const byStart = (a: Appointment, b: Appointment) => Date.parse(a.startsAt) - Date.parse(b.startsAt);

/** Its call is closed, or it will not take place. */
export function isOver({ join, status }: Appointment): boolean {
  return (
    join.decision === 'OVER' ||
    join.decision === 'TOO_LATE' ||
    (status === 'REQUESTED' && Date.parse(join.serverTime) >= Date.parse(join.closesAt))
  );
}

export function homeOf(appointments: readonly Appointment[]): Home {
  const open = appointments.filter((appointment) => !isOver(appointment)).sort(byStart);
  const [next = null, ...later] = open.filter(({ status }) => status === 'CONFIRMED');
  return { next, later, requests: open.filter(({ status }) => status === 'REQUESTED') };
}

export interface Month {
  /** "2026-11" */
  key: string;
  /** An instant in it, for its name. */
  at: string;
  appointments: Appointment[];
}

/** What lies ahead and what is past, each by month: what comes first is on top, then what was last. */
export function scheduleOf(
  appointments: readonly Appointment[],
  which: 'upcoming' | 'past',
  monthOf: (instant: string) => string,
): Month[] {
  // Called off is not past: the day is still to come, and people look for it there.
  const isPast = (one: Appointment) =>
    one.status === 'COMPLETED' ||
    one.status === 'NO_SHOW' ||
    Date.parse(one.join.serverTime) >= Date.parse(one.join.closesAt);
  const chosen = appointments
    .filter((appointment) => isPast(appointment) === (which === 'past'))
    .sort(which === 'past' ? (a, b) => byStart(b, a) : byStart);
  const months = new Map<string, Month>();
  for (const appointment of chosen) {
    const key = monthOf(appointment.startsAt);
    const month = months.get(key) ?? { key, at: appointment.startsAt, appointments: [] };
    month.appointments.push(appointment);
    months.set(key, month);
  }
  return [...months.values()];
}
