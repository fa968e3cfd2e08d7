/** The first try comes after half of this at the earliest, so that a whole clinic is spread out. */
const FIRST_MS = 500;
const LONGEST_MS = 8000;

/**
 * How long to wait before try number `attempt` (from 1): doubled each time up to a longest, of
 * which a random part between half and all. `chance` is in [0, 1).
 */
export function rejoinDelay(attempt: number, chance: number): number {
  const most = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, attempt - 1));
  return Math.round(most * (0.5 + chance / 2));
}
