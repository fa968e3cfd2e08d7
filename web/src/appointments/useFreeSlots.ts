import { useQueries, useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import type { Slot } from '../api';
import { queries } from '../app/queries';
import { serverClock } from '../app/services';
import { isoDay } from '../time/format';
import { plusDays } from './slots';

/** So many days are asked for at once, and so many times one may go on. */
const DAYS = 14;
const PAGES = 8;
/** Asked for beyond: a day in another zone ends up to 26 hours after the clinic's. */
const OVERLAP = 2;

export interface FreeSlots {
  slots: Slot[];
  /** The last day that was looked at, "2026-12-20" in the clinic's zone. */
  until: string;
  clinicZone: string | undefined;
  loading: boolean;
  error: unknown;
  retry: () => void;
  /** Looks at later days; null: no further. */
  more: (() => void) | null;
}

/** The free times of a doctor from today on, a few weeks at a time. */
export function useFreeSlots(doctorId: string): FreeSlots {
  const clinic = useQuery(queries.clinic());
  const [pages, setPages] = useState(1);
  const clinicZone = clinic.data?.timeZone;
  const [begin] = useState(() => serverClock.now());
  const today = clinicZone === undefined ? undefined : isoDay(begin, clinicZone);
  const found = useQueries({
    queries:
      today === undefined
        ? []
        : Array.from({ length: pages }, (_, page) =>
            queries.slots(doctorId, plusDays(today, page * DAYS), DAYS + OVERLAP),
          ),
  });
  const failed = [clinic, ...found].filter((query) => query.isError && !query.data);
  return {
    slots: found.flatMap((query) => query.data ?? []),
    until: today === undefined ? '' : plusDays(today, pages * DAYS - 1),
    clinicZone,
    loading: clinic.isPending || found.some((query) => query.isPending),
    error: failed[0]?.error ?? null,
    retry: () => {
      for (const query of failed) void query.refetch();
    },
    more: pages < PAGES ? () => setPages(pages + 1) : null,
  };
}
