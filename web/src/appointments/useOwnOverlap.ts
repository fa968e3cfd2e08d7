import { useQuery } from '@tanstack/react-query';

import type { Appointment, Slot } from '../api';
import { queries } from '../app/queries';
import { overlapping } from './overlap';

/** No appointment is longer. */
const LONGEST_MS = 8 * 3_600_000;

/**
 * The caller's own appointment at the time of a slot. "Taken" may mean that, and then another
 * word is needed than for a slot that somebody else took.
 */
export function useOwnOverlap(slot: Slot | null, exceptId?: string): Appointment | undefined {
  const start = slot ? Date.parse(slot.startsAt) : 0;
  const { data } = useQuery({
    ...queries.appointments({
      from: new Date(start - LONGEST_MS).toISOString(),
      ...(slot && { to: slot.endsAt }),
    }),
    enabled: slot !== null,
  });
  return slot && data ? overlapping(data, slot, exceptId) : undefined;
}
