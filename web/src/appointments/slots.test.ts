import { describe, expect, test } from 'vitest';

import type { Slot } from '../api';
import { anAppointment } from '../testing/appointments';
import { overlapping } from './overlap';
import { byDay, byPart, nearest, partOf, plusDays } from './slots';

const slot = (startsAt: string): Slot => ({
  startsAt,
  endsAt: new Date(Date.parse(startsAt) + 30 * 60_000).toISOString(),
});

const LAST = '2026-12-31';

describe('by day', () => {
  const slots = ['2026-11-24T22:30:00Z', '2026-11-24T23:30:00Z', '2026-11-24T08:00:00Z'].map(slot);

  test.each([
    ['UTC', { '2026-11-24': 3 }],
    ['Europe/Berlin', { '2026-11-24': 2, '2026-11-25': 1 }],
    ['America/New_York', { '2026-11-24': 3 }],
    ['Pacific/Kiritimati', { '2026-11-24': 1, '2026-11-25': 2 }],
  ])('of %s', (zone, days) => {
    const found = byDay(slots, zone, LAST).map(({ day, slots: some }) => [day, some.length]);
    expect(Object.fromEntries(found)).toEqual(days);
  });

  test('a day after the last that was asked for is not shown in part', () => {
    const found = byDay(slots, 'Europe/Berlin', '2026-11-24').map(({ day }) => day);
    expect(found).toEqual(['2026-11-24']);
  });

  test('a slot that two answers hold is there once', () => {
    expect(byDay([...slots, ...slots], 'UTC', LAST)[0]?.slots).toHaveLength(3);
  });

  test('the hour that a night in October has twice keeps both of its slots, in order', () => {
    const night = ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z'].map(slot);
    const [day] = byDay([...night].reverse(), 'Europe/Berlin', LAST);
    expect(day).toEqual({ day: '2026-10-25', slots: night });
  });
});

test('parts of a day are by the clock on the viewer’s wall', () => {
  expect(partOf('2026-11-24T11:59:00Z', 'UTC')).toBe('morning');
  expect(partOf('2026-11-24T11:00:00Z', 'Europe/Berlin')).toBe('afternoon');
  expect(partOf('2026-11-24T18:00:00Z', 'UTC')).toBe('evening');
  expect(partOf('2026-11-24T00:00:00Z', 'UTC')).toBe('morning');
  const day = ['2026-11-24T17:00:00Z', '2026-11-24T08:00:00Z'].map(slot);
  expect(byPart(day, 'UTC').map(([part]) => part)).toEqual(['morning', 'afternoon']);
});

test('the nearest other times, before and after, in order', () => {
  const all = [8, 9, 11, 12, 15].map((hour) =>
    slot(`2026-11-24T${String(hour).padStart(2, '0')}:00:00Z`),
  );
  const found = nearest(all, '2026-11-24T11:00:00Z', 3).map(({ startsAt }) => startsAt);
  expect(found).toEqual(['2026-11-24T08:00:00Z', '2026-11-24T09:00:00Z', '2026-11-24T12:00:00Z']);
});

test('days are counted on the calendar', () => {
  expect(plusDays('2026-10-24', 2)).toBe('2026-10-26');
  expect(plusDays('2028-02-28', 1)).toBe('2028-02-29');
  expect(plusDays('2026-12-31', 28)).toBe('2027-01-28');
});

test('an own appointment at the time of a slot', () => {
  const own = anAppointment();
  expect(overlapping([own], slot('2026-11-24T14:15:00Z'))).toBe(own);
  expect(overlapping([own], slot('2026-11-24T14:30:00Z'))).toBeUndefined();
  expect(overlapping([own], slot('2026-11-24T14:15:00Z'), own.id)).toBeUndefined();
  const cancelled = anAppointment({ status: 'CANCELLED' });
  expect(overlapping([cancelled], slot('2026-11-24T14:15:00Z'))).toBeUndefined();
});
