import { expect, test } from 'vitest';

import { jitterOf, medianOf, type Measures, verdictOf } from './verdict';

const FINE: Measures = { roundTripMs: 40, jitterMs: 5, megabitsPerSecond: 20, blocked: [] };

test.each<[Partial<Measures>, string]>([
  [{}, 'good'],
  [{ roundTripMs: 200, jitterMs: 50, megabitsPerSecond: 2.5 }, 'good'],
  [{ megabitsPerSecond: undefined }, 'good'],
  [{ roundTripMs: 201 }, 'fair'],
  [{ jitterMs: 51 }, 'fair'],
  [{ megabitsPerSecond: 2.4 }, 'fair'],
  [{ roundTripMs: 500, jitterMs: 150, megabitsPerSecond: 0.7 }, 'fair'],
  [{ roundTripMs: 501 }, 'poor'],
  [{ jitterMs: 151 }, 'poor'],
  [{ megabitsPerSecond: 0.69 }, 'poor'],
  [{ blocked: ['video'] }, 'blocked'],
  [{ roundTripMs: 5000, blocked: ['browser'] }, 'blocked'],
])('%o is %s', (measures, verdict) => {
  expect(verdictOf({ ...FINE, ...measures })).toBe(verdict);
});

test('one slow trip of five does not move the median', () => {
  expect(medianOf([30, 900, 31, 29, 32])).toBe(31);
  expect(medianOf([10, 20])).toBe(15);
  expect(medianOf([])).toBeUndefined();
});

test('jitter is the step from one to the next', () => {
  expect(jitterOf([10, 10, 10])).toBe(0);
  expect(jitterOf([10, 30, 20])).toBe(15);
  expect(jitterOf([10])).toBeUndefined();
});
