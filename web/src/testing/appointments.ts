// An appointment as the server would tell it, for tests.

import type { Appointment } from '../api';

export const DOCTOR = {
  id: '00000000-0000-4000-8000-0000000000d1',
  personId: '00000000-0000-4000-8000-0000000000d0',
  type: 'DOCTOR',
  displayName: 'Dr. Ada Lindqvist',
} as const;

export const PATIENT = {
  id: '00000000-0000-4000-8000-0000000000a1',
  personId: '00000000-0000-4000-8000-0000000000a0',
  type: 'PATIENT',
  displayName: 'Pia Sommer',
} as const;

type Parts = Partial<Omit<Appointment, 'join'>> & { join?: Partial<Appointment['join']> };

/** Confirmed, on 24 November 2026 from 14:00 to 14:30 UTC; told the day before. */
export function anAppointment(parts: Parts = {}): Appointment {
  return {
    id: '00000000-0000-4000-8000-000000000001',
    version: 2,
    status: 'CONFIRMED',
    startsAt: '2026-11-24T14:00:00Z',
    endsAt: '2026-11-24T14:30:00Z',
    timeZone: 'Europe/Berlin',
    reason: '',
    note: '',
    participants: [PATIENT, DOCTOR],
    createdAt: '2026-11-20T09:00:00Z',
    updatedAt: '2026-11-21T09:00:00Z',
    // What the API says without NO_SHOW; its types leave the zero of an enum out.
    noShow: 'UNSPECIFIED' as Appointment['noShow'],
    ...parts,
    join: {
      decision: 'TOO_EARLY',
      opensAt: '2026-11-24T13:30:00Z',
      closesAt: '2026-11-24T16:00:00Z',
      serverTime: '2026-11-23T12:00:00Z',
      ...parts.join,
    },
  };
}
