import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';

import type { Appointment } from '../api';
import { keys } from '../app/queries';
import { client, serverClock } from '../app/services';
import { type Freshness, keepFresh } from './freshness';

const isOlder = (a: Appointment, b: Appointment) =>
  Date.parse(a.join.serverTime) < Date.parse(b.join.serverTime);

/** Puts what the server said about an appointment wherever the app shows it. */
export function remember(cache: QueryClient, told: Appointment): void {
  cache.setQueryData<Appointment>(keys.appointment(told.id), (known) =>
    known && isOlder(told, known) ? known : told,
  );
  cache.setQueriesData<Appointment[]>({ queryKey: keys.appointments }, (list) =>
    list?.map((known) => (known.id === told.id && !isOlder(told, known) ? told : known)),
  );
}

/**
 * Has the server asked again at the edges of the join window and when the page wakes up; the new
 * answer comes by the query that gave `appointment`. `unsure`: the last question found no answer.
 */
export function useFresh(appointment: Appointment): { unsure: boolean } {
  const cache = useQueryClient();
  const [unsure, setUnsure] = useState(false);
  const freshness = useRef<Freshness>(null);
  const { id } = appointment;

  useEffect(() => {
    const kept = keepFresh({
      ask: async () => {
        const told = await client.appointment(id);
        remember(cache, told);
        return told;
      },
      clock: serverClock,
      onUnsure: setUnsure,
    });
    freshness.current = kept;
    return () => kept.stop();
  }, [cache, id]);

  useEffect(() => freshness.current?.update(appointment), [appointment]);

  return { unsure };
}
