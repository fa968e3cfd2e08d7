import { expect, test } from 'vitest';

import { rejoinDelay } from './backoff';

test.each([
  [1, 0, 250],
  [1, 0.999, 500],
  [2, 0, 500],
  [3, 0.999, 1999],
  [5, 0, 4000],
  [6, 0.999, 7996],
  [1000, 0.999, 7996],
])('try %i with chance %f waits %i ms', (attempt, chance, ms) => {
  expect(Math.abs(rejoinDelay(attempt, chance) - ms)).toBeLessThanOrEqual(1);
});
