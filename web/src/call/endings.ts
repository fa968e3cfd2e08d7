import type { Appointment } from '../api';

/** Why a call is over for everybody, as the appointment tells it. */
export type Ending = 'completed' | 'time' | 'cancelled' | 'rescheduled';

/**
 * Why the call of this appointment is over; undefined: it is not, one may (still) go in. Both times
 * that are compared here were told by the server.
 */
export function endingOf({ status, join }: Appointment): Ending | undefined {
  switch (status) {
    case 'CANCELLED':
    case 'DECLINED':
      return 'cancelled';
    case 'COMPLETED':
      return Date.parse(join.serverTime) >= Date.parse(join.closesAt) ? 'time' : 'completed';
    case 'NO_SHOW':
      return 'time';
    case 'REQUESTED':
      return 'rescheduled';
    default:
      break;
  }
  if (join.decision === 'TOO_LATE') return 'time';
  return join.decision === 'TOO_EARLY' ? 'rescheduled' : undefined;
}
