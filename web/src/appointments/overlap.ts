import type { Appointment, Slot } from '../api';

/** The open appointment that takes up some of a slot's time, if one does. */
export function overlapping(
  appointments: readonly Appointment[],
  slot: Slot,
  exceptId?: string,
): Appointment | undefined {
  const from = Date.parse(slot.startsAt);
  const to = Date.parse(slot.endsAt);
  return appointments.find(
    ({ id, status, startsAt, endsAt }) =>
      id !== exceptId &&
      (status === 'REQUESTED' || status === 'CONFIRMED') &&
      Date.parse(startsAt) < to &&
      from < Date.parse(endsAt),
  );
}
