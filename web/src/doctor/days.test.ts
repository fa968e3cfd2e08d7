import { describe, expect, test } from 'vitest';

import { visit } from '../staff/visit.fixture';
import { isoDay } from '../time/format';
import { groupByDay, isDay, middleOf, spanOf, startOf, weekdayOf, weekOf } from './days';

test.each([
  ['2026-11-23', 'Europe/Berlin', '2026-11-22T23:00:00.000Z'],
  ['2026-11-23', 'America/New_York', '2026-11-23T05:00:00.000Z'],
  ['2026-11-23', 'Asia/Kolkata', '2026-11-22T18:30:00.000Z'],
  // Beirut changes its clocks at midnight: that day begins at one o'clock.
  ['2026-03-29', 'Asia/Beirut', '2026-03-28T22:00:00.000Z'],
])('%s in %s begins at %s', (day, zone, instant) => {
  expect(startOf(day, zone)).toBe(instant);
  expect(isoDay(instant, zone)).toBe(day);
  expect(isoDay(Date.parse(instant) - 1, zone)).not.toBe(day);
});

test.each([
  ['2026-10-25', 25],
  ['2026-03-29', 23],
  ['2026-11-23', 24],
])('%s has %i hours in Berlin', (day, hours) => {
  const { from, to } = spanOf(day, 1, 'Europe/Berlin');
  expect((Date.parse(to) - Date.parse(from)) / 3_600_000).toBe(hours);
});

test.each([
  ['2026-11-23', 1, '2026-11-23'],
  ['2026-11-29', 7, '2026-11-23'],
  ['2026-11-30', 1, '2026-11-30'],
  ['2027-01-01', 5, '2026-12-28'],
])('%s is weekday %i of the week from %s', (day, weekday, monday) => {
  expect(weekdayOf(day)).toBe(weekday);
  expect(weekOf(day)).toBe(monday);
});

test.each(['Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Europe/Berlin'])(
  'the middle of a day is on it in %s',
  (zone) => {
    expect(isoDay(middleOf('2026-10-25', zone), zone)).toBe('2026-10-25');
  },
);

describe('a day out of an address', () => {
  test.each(['2026-11-23', '2024-02-29'])('%s is one', (text) => expect(isDay(text)).toBe(true));
  test.each([null, '', 'today', '2026-13-01', '2026-02-30', '2026-11-23T00:00'])(
    '%s is none',
    (text) => expect(isDay(text)).toBe(false),
  );
});

test('appointments on the days of the viewer; what is outside is left out', () => {
  const late = visit('23:30');
  const week = (zone: string) =>
    groupByDay([visit('14:00'), late], '2026-11-23', 7, zone).map((day) => [
      day.day,
      day.appointments.length,
    ]);
  expect(week('UTC').slice(0, 3)).toEqual([
    ['2026-11-23', 2],
    ['2026-11-24', 0],
    ['2026-11-25', 0],
  ]);
  expect(week('Europe/Berlin').slice(0, 2)).toEqual([
    ['2026-11-23', 1],
    ['2026-11-24', 1],
  ]);
  expect(groupByDay([late], '2026-11-24', 7, 'UTC').flatMap((day) => day.appointments)).toEqual([]);
});
