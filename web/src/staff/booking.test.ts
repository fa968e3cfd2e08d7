import { describe, expect, test } from 'vitest';

import { type Booking, createAttempts, EMPTY_BOOKING, missingIn, requestOf } from './booking';

const whole: Booking = {
  patient: { id: 'p', displayName: 'Pia', email: '' },
  doctorId: 'd',
  slot: { startsAt: '2026-11-24T09:00:00Z', endsAt: '2026-11-24T09:30:00Z' },
  reason: ' rash ',
  confirmed: false,
};

describe('what is missing', () => {
  test.each<[Partial<Booking>, string[]]>([
    [{}, []],
    [{ reason: '' }, []],
    [{ patient: null }, ['patient']],
    [{ slot: null }, ['slot']],
    [{ doctorId: null, slot: null }, ['doctor']],
    [EMPTY_BOOKING, ['patient', 'doctor']],
  ])('%o: %j', (change, missing) => {
    const booking = { ...whole, ...change };
    expect(missingIn(booking)).toEqual(missing);
    expect(requestOf(booking) === null).toBe(missing.length > 0);
  });
});

test('what is sent', () => {
  expect(requestOf(whole)).toEqual({
    patientId: 'p',
    doctorId: 'd',
    startsAt: '2026-11-24T09:00:00Z',
    reason: 'rash',
    confirmed: false,
  });
});

test('a repetition has the key of the first, anything else another', () => {
  let made = 0;
  const attempts = createAttempts(() => `key-${(made += 1)}`);
  const request = { doctorId: 'd', startsAt: '2026-11-24T09:00:00Z' };
  expect(attempts.keyFor(request)).toBe('key-1');
  expect(attempts.keyFor({ ...request })).toBe('key-1');
  expect(attempts.keyFor({ ...request, reason: 'rash' })).toBe('key-2');
  attempts.done();
  expect(attempts.keyFor({ ...request, reason: 'rash' })).toBe('key-3');
});
