import { expect, test } from 'vitest';

import type { Phase } from './phases';
import { statusOf } from './status';

const inCall = (link: 'connecting' | 'connected' | 'reconnecting', attempt = 0): Phase => ({
  at: 'inCall',
  link,
  attempt,
});

test.each<[Phase, number, boolean, string]>([
  [{ at: 'joining', takeOver: false, tries: 0 }, 0, false, 'connecting'],
  [inCall('connecting'), 0, false, 'connecting'],
  [inCall('connecting', 2), 0, true, 'lost'],
  [inCall('connected'), 0, false, 'waiting'],
  [inCall('connected'), 0, true, 'alone'],
  [inCall('connected'), 1, true, 'connected'],
  [inCall('connected'), 3, true, 'connected'],
  [inCall('reconnecting'), 1, true, 'reconnecting'],
  [{ at: 'rejoining', attempt: 4 }, 0, true, 'lost'],
  [{ at: 'asking', attempt: 0, removed: false }, 0, true, 'lost'],
])('%o with %i others (met: %s) is %s', (phase, others, met, status) => {
  expect(statusOf(phase, { others, met, online: true })).toBe(status);
});

test('without a network nobody is told that they are connected', () => {
  const around = { others: 1, met: true, online: false };
  expect(statusOf(inCall('connected'), around)).toBe('reconnecting');
  expect(statusOf({ at: 'rejoining', attempt: 2 }, around)).toBe('lost');
});
