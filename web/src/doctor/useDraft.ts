import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';

import type { Availability } from '../api';
import { sameWeek, type Week, weekFrom } from './hours';

interface Edited {
  week: Week;
  /** What the clinic had when the first change was made. */
  from: Week;
}

export interface Draft {
  week: Week;
  /** There is something to save. */
  changed: boolean;
  /** The hours were changed elsewhere after the first change here. */
  overtaken: boolean;
  change: (next: (week: Week) => Week) => void;
  drop: () => void;
}

/**
 * The hours as they are being written. Changes outlive the screen: who comes back to it while this
 * page is open finds them. They go with the session, as all that was read in it.
 */
export function useDraft(availability: Availability): Draft {
  const cache = useQueryClient();
  const { doctorId, hours } = availability;
  const key = useMemo(() => ['hours-draft', doctorId], [doctorId]);
  const saved = useMemo(() => weekFrom(hours), [hours]);
  const [edited, setEdited] = useState(() => cache.getQueryData<Edited>(key) ?? null);

  useEffect(() => {
    cache.setQueryDefaults(['hours-draft'], { gcTime: Infinity });
    if (edited) cache.setQueryData(key, edited);
    else cache.removeQueries({ queryKey: key });
  }, [cache, key, edited]);

  const changed = edited !== null && !sameWeek(edited.week, saved);
  return {
    week: edited?.week ?? saved,
    changed,
    overtaken: changed && !sameWeek(edited.from, saved),
    change: (next) =>
      setEdited((before) => ({
        week: next(before?.week ?? saved),
        from: before?.from ?? saved,
      })),
    drop: () => setEdited(null),
  };
}
