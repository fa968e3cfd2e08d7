// What the figures of a connection mean for a call. Pure: the measuring is in connection.ts.

export type Verdict = 'good' | 'fair' | 'poor' | 'blocked';

/** The parts that a call needs; each can be in the way. */
export type Part = 'clinic' | 'video' | 'browser';

export interface Measures {
  /** Round trip to the clinic's server, median, and how much it varies. */
  roundTripMs?: number;
  jitterMs?: number;
  /** How fast data come in; undefined: not measured (saving data, or nothing to measure with). */
  megabitsPerSecond?: number;
  /** What could not be reached or cannot be done. */
  blocked: readonly Part[];
}

interface Limit {
  roundTripMs: number;
  jitterMs: number;
  megabitsPerSecond: number;
}

/**
 * Round trip: people begin to talk over one another from 400 ms there and back with all processing
 * (ITU-T G.114 names 150 ms one way as unnoticed, 400 ms as the end of what is usable); network and
 * HTTP get the half of that for "good". Jitter: what a jitter buffer takes without being heard, and
 * about the most that it grows to. Rate: both pictures of a call at 720p take 1.7 Mbit/s each way,
 * with a half in hand; at the low setting 0.45 Mbit/s, sound 0.05.
 */
const GOOD: Limit = { roundTripMs: 200, jitterMs: 50, megabitsPerSecond: 2.5 };
const FAIR: Limit = { roundTripMs: 500, jitterMs: 150, megabitsPerSecond: 0.7 };

export function verdictOf(measures: Measures): Verdict {
  if (measures.blocked.length > 0) return 'blocked';
  if (within(measures, GOOD)) return 'good';
  return within(measures, FAIR) ? 'fair' : 'poor';
}

/** What was not measured speaks neither for nor against. */
function within(measures: Measures, limit: Limit): boolean {
  return (
    (measures.roundTripMs ?? 0) <= limit.roundTripMs &&
    (measures.jitterMs ?? 0) <= limit.jitterMs &&
    (measures.megabitsPerSecond ?? Infinity) >= limit.megabitsPerSecond
  );
}

/** The middle of the values; undefined of none. */
export function medianOf(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2;
}

/** How far one value is from the one before, on average (RFC 3550's idea, without its memory). */
export function jitterOf(values: readonly number[]): number | undefined {
  const steps = values.slice(1).map((value, i) => Math.abs(value - (values[i] ?? value)));
  if (steps.length === 0) return undefined;
  return steps.reduce((sum, step) => sum + step, 0) / steps.length;
}
