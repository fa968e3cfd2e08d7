import { queryOptions, useQuery } from '@tanstack/react-query';

import type { Appointment } from '../api';
import { keys, queries } from '../app/queries';
import { client } from '../app/services';
import { useSession } from '../app/session';
import { nextEdge } from '../staff/board-state';
import { useNow } from '../time/useNow';
import { plusDays, startOf, weekOf } from './days';
import { useToday } from './useToday';

/** All that wait for an answer, of today and later. */
export const requestsQuery = () =>
  queryOptions({
    queryKey: [...keys.appointments, { status: 'REQUESTED' }],
    queryFn: () => client.appointments({ status: 'REQUESTED' }),
  });

const NONE: readonly Appointment[] = [];

/** In how many milliseconds time alone changes what is said of these. */
export function untilEdge(appointments: readonly Appointment[], now: number): number {
  return (nextEdge(appointments, now) ?? Infinity) - now;
}

/**
 * The doctor's appointments from yesterday, whose calls may still go on, to the end of this week;
 * `now` is the clinic's time when something about them last changed by time alone.
 */
export function useWeek() {
  const { viewer } = useSession();
  const today = useToday(viewer.timeZone);
  const week = useQuery(
    queries.appointments({
      from: startOf(plusDays(today, -1), viewer.timeZone),
      to: startOf(plusDays(weekOf(today), 7), viewer.timeZone),
    }),
  );
  const appointments = week.data ?? NONE;
  const now = useNow((at) => untilEdge(appointments, at));
  return { week, appointments, today, now };
}
