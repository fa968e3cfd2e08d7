import { expect, test } from 'vitest';

import { minutesLeft, untilNextMinute } from './time-left';

const CLOSES = '2026-11-23T16:00:00Z';

test.each([
  ['2026-11-23T15:49:59.999Z', null, 1],
  ['2026-11-23T15:50:00Z', 10, 60_000],
  ['2026-11-23T15:50:01Z', 10, 59_000],
  ['2026-11-23T15:59:00Z', 1, 60_000],
  ['2026-11-23T15:59:59Z', 1, 1000],
  ['2026-11-23T13:00:00Z', null, 170 * 60_000],
])('at %s %s minutes are left, for %i ms', (now, minutes, next) => {
  expect(minutesLeft(CLOSES, Date.parse(now))).toBe(minutes);
  expect(untilNextMinute(CLOSES, Date.parse(now))).toBe(next);
});

test('when the time is over, nothing is left', () => {
  expect(minutesLeft(CLOSES, Date.parse(CLOSES))).toBe(0);
  expect(minutesLeft(CLOSES, Date.parse(CLOSES) + 5000)).toBe(0);
});
