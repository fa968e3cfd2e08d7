import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';

import type { Appointment } from '../api';
import { keys, queries } from '../app/queries';
import { useSession } from '../app/session';
import { spanOf } from '../doctor/days';
import { untilEdge } from '../doctor/useWeek';
import { useNow } from '../time/useNow';
import { boardVisits } from './board';
import { nextEdge } from './board-state';

const NONE: readonly Appointment[] = [];

/**
 * A day of the clinic. Notices keep it up to date; one timer moves it on where time alone changes
 * something, and then the server is asked as well, in case a notice was lost.
 */
export function useBoard(day: string) {
  const { person, viewer } = useSession();
  const cache = useQueryClient();
  const list = useQuery(queries.appointments(spanOf(day, 1, viewer.timeZone)));
  const doctors = useQuery(queries.doctors());
  const appointments = list.data ?? NONE;
  const now = useNow((at) => untilEdge(appointments, at));

  const shown = useRef(now);
  useEffect(() => {
    const edge = nextEdge(appointments, shown.current);
    shown.current = now;
    // The page may have looked at the clock a little early, or for another reason.
    if (edge !== undefined && edge <= now)
      void cache.invalidateQueries({ queryKey: keys.appointments });
  }, [cache, appointments, now]);

  const visits = useMemo(
    () => boardVisits(appointments, now, person.role),
    [appointments, now, person.role],
  );
  return { list, doctors, visits };
}
