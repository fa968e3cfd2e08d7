import { expect, test } from 'vitest';

import { Problem, Unreachable } from '../api';
import { retry, retryDelay } from './query-client';

const problem = (status: number, retryAfterSeconds?: number) =>
  new Problem({ type: '/problems/x', title: '', status, retryAfterSeconds });

test.each([
  [new Unreachable('away'), true],
  [problem(502), true],
  [problem(503), true],
  [problem(504), true],
  [problem(500), false],
  [problem(401), false],
  [problem(404), false],
  [problem(429), false],
  [new TypeError('a fault of ours'), false],
])('%s is asked again: %s', (error, expected) => {
  expect(retry(0, error)).toBe(expected);
});

test('it gives up after three', () => {
  expect(retry(2, new Unreachable('away'))).toBe(true);
  expect(retry(3, new Unreachable('away'))).toBe(false);
});

test('it waits as long as the server asks, or longer each time', () => {
  expect(retryDelay(0, problem(503, 7))).toBeGreaterThanOrEqual(7_000);
  expect(retryDelay(0, problem(503))).toBeLessThan(2_000);
  expect(retryDelay(2, new Unreachable('away'))).toBeGreaterThanOrEqual(4_000);
  expect(retryDelay(20, new Unreachable('away'))).toBeLessThan(11_000);
});
