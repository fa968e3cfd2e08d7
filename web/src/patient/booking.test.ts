import { expect, test, vi } from 'vitest';

import { Problem, Unreachable } from '../api';
import { anAppointment } from '../testing/appointments';
import { createKeys, sendBooking } from './booking';

const REQUEST = { doctorId: 'd', startsAt: '2026-11-24T14:00:00Z', reason: 'A cough' };
const noWait = () => Promise.resolve();
const problem = (slug: string, status: number) =>
  new Problem({ type: `/problems/${slug}`, title: slug, status });

test('an unknown outcome is asked again with the same key, and then known', async () => {
  const booked = anAppointment({ status: 'REQUESTED' });
  const send = vi
    .fn<(request: unknown, key: string) => Promise<typeof booked>>()
    .mockRejectedValueOnce(problem('unknown-outcome', 504))
    .mockRejectedValueOnce(new Unreachable('away'))
    .mockResolvedValueOnce(booked);
  const outcome = await sendBooking(send, REQUEST, 'key-1', noWait);
  expect(outcome).toEqual({ kind: 'booked', appointment: booked });
  expect(send.mock.calls).toEqual(Array(3).fill([REQUEST, 'key-1']));
});

test.each([
  ['slot-taken', 409, 'taken', 1],
  ['forbidden', 403, 'refused', 1],
  ['invalid', 422, 'refused', 1],
  ['unavailable', 503, 'unknown', 3],
  ['unknown-outcome', 504, 'unknown', 3],
] as const)('%s is %s', async (slug, status, kind, times) => {
  const send = vi.fn(() => Promise.reject(problem(slug, status)));
  const outcome = await sendBooking(send, REQUEST, 'key-1', noWait);
  expect(outcome.kind).toBe(kind);
  expect(send).toHaveBeenCalledTimes(times);
});

test('an attempt has one key until it is settled; another request has another', () => {
  let made = 0;
  const keys = createKeys(() => `key-${++made}`);
  expect(keys.keyOf(REQUEST)).toBe('key-1');
  expect(keys.keyOf({ ...REQUEST })).toBe('key-1');
  expect(keys.keyOf({ ...REQUEST, reason: 'A cold' })).toBe('key-2');
  keys.settle();
  expect(keys.keyOf({ ...REQUEST, reason: 'A cold' })).toBe('key-3');
});
