// What became of an appointment between two looks at it, as far as people must know.

import type { Appointment } from '../api';

export type AppointmentChange = 'time' | 'status';

export function changesOf(before: Appointment, after: Appointment): AppointmentChange[] {
  const changed: AppointmentChange[] = [];
  if (before.startsAt !== after.startsAt || before.endsAt !== after.endsAt) changed.push('time');
  if (before.status !== after.status) changed.push('status');
  return changed;
}
