// Who takes part in an appointment, as seen by one side.

import type { Appointment, Participant } from '../api';

/** What somebody is to the appointment that they look at. */
export type As = 'patient' | 'doctor' | 'staff';

export function participant(
  appointment: Appointment,
  type: 'PATIENT' | 'DOCTOR',
): Participant | undefined {
  return appointment.participants.find((somebody) => somebody.type === type);
}

/** The caller's own part; staff have none. */
export function own(appointment: Appointment, as: As): Participant | undefined {
  if (as === 'staff') return undefined;
  return participant(appointment, as === 'doctor' ? 'DOCTOR' : 'PATIENT');
}

/** Whom the caller meets: patients the doctor, doctors the patient, staff look at both. */
export function others(appointment: Appointment, as: As): Participant[] {
  const mine = own(appointment, as);
  return appointment.participants.filter((somebody) => somebody !== mine);
}

/** The other people who are in the call now. */
export function present(appointment: Appointment, as: As): Participant[] {
  return others(appointment, as).filter((somebody) => somebody.inCallSince !== undefined);
}
