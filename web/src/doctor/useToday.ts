import { isoDay } from '../time/format';
import { useNow } from '../time/useNow';
import { plusDays, startOf } from './days';

/** The day it is in that zone by the clinic's clock, "2026-11-23"; the next one at midnight. */
export function useToday(timeZone: string): string {
  const now = useNow((at) => Date.parse(startOf(plusDays(isoDay(at, timeZone), 1), timeZone)) - at);
  return isoDay(now, timeZone);
}
