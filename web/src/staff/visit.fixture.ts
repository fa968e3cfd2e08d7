// Appointments for tests: on one day, in UTC, with the default policy.

import type { Appointment, AppointmentStatus, NoShow } from '../api';

const DAY = '2026-11-23';

/** The instant of a time of that day, "13:30". */
export const at = (time: string): number => Date.parse(`${DAY}T${time}:00Z`);

const iso = (time: string, plusMinutes = 0) =>
  new Date(at(time) + plusMinutes * 60_000).toISOString();

interface Place {
  in?: string;
  left?: string;
}

export interface VisitOptions {
  id?: string;
  status?: AppointmentStatus;
  noShow?: NoShow;
  patient?: Place & { name?: string };
  doctor?: Place & { id?: string; name?: string };
  reason?: string;
  /** The server's time when it tells of it. */
  now?: string;
}

const place = (presence: Place | undefined) => ({
  ...(presence?.in && { inCallSince: iso(presence.in) }),
  ...(presence?.left && { leftCallAt: iso(presence.left) }),
});

/** A visit of half an hour, open from 30 minutes before to 2 hours after its start. */
export function visit(startsAt: string, options: VisitOptions = {}): Appointment {
  return {
    id: options.id ?? `visit-${startsAt}`,
    version: 2,
    status: options.status ?? 'CONFIRMED',
    startsAt: iso(startsAt),
    endsAt: iso(startsAt, 30),
    timeZone: 'Europe/Berlin',
    reason: options.reason ?? '',
    note: '',
    noShow: options.noShow ?? ('UNSPECIFIED' as NoShow),
    createdAt: iso('08:00'),
    updatedAt: iso('08:30'),
    participants: [
      {
        id: 'p-patient',
        personId: 'patient-1',
        type: 'PATIENT',
        displayName: options.patient?.name ?? 'Pia Sommer',
        ...place(options.patient),
      },
      {
        id: 'p-doctor',
        personId: options.doctor?.id ?? 'doctor-1',
        type: 'DOCTOR',
        displayName: options.doctor?.name ?? 'Dr. Lindqvist',
        ...place(options.doctor),
      },
    ],
    join: {
      decision: 'NOT_FOUND',
      opensAt: iso(startsAt, -30),
      closesAt: iso(startsAt, 120),
      serverTime: iso(options.now ?? '08:30'),
    },
  };
}
