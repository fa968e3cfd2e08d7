import { describe, expect, test } from 'vitest';

import {
  faultsOf,
  hasFaults,
  hoursFrom,
  minutesOf,
  sameWeek,
  slotsIn,
  type Span,
  type SpanFaults,
  tidyTime,
  weekFrom,
  withChange,
  withCopies,
  withoutDay,
  withoutSpan,
  withSpan,
} from './hours';

const span = (from: string, to: string, minutes = '30', key = 1): Span => ({
  key,
  from,
  to,
  minutes,
});

function first(day: readonly Span[]): Span {
  const [found] = day;
  if (!found) throw new Error('an empty day');
  return found;
}

test.each([
  ['00:00', 0],
  ['08:30', 510],
  ['9:05', 545],
  ['24:00', 1440],
  ['24:01', undefined],
  ['25:00', undefined],
  ['08:60', undefined],
  ['', undefined],
  ['noon', undefined],
])('%s is %s minutes', (time, minutes) => {
  expect(minutesOf(time)).toBe(minutes);
});

test.each([
  ['9', '09:00'],
  ['9:00', '09:00'],
  [' 17.30 ', '17:30'],
  ['930', '09:30'],
  ['1730', '17:30'],
  ['8h15', '08:15'],
  ['24', '24:00'],
  ['٠٩:٣٠', '09:30'],
  ['99', '99'],
  ['nine', 'nine'],
  ['', ''],
])('"%s" is tidied to "%s"', (typed, tidy) => {
  expect(tidyTime(typed)).toBe(tidy);
});

describe('faults of a day', () => {
  const rows: [string, Span[], Record<number, SpanFaults>][] = [
    ['none', [span('08:00', '12:00'), span('13:00', '17:00', '20', 2)], {}],
    [
      'none where one ends as the next begins',
      [span('08:00', '12:00'), span('12:00', '13:00', '30', 2)],
      {},
    ],
    ['none up to midnight', [span('20:00', '24:00')], {}],
    ['24:00 is no begin', [span('24:00', '24:00')], { 1: { from: 'time' } }],
    ['no time', [span('', '25:00')], { 1: { from: 'time', to: 'time' } }],
    ['end before start', [span('12:00', '08:00')], { 1: { to: 'endBeforeStart' } }],
    ['end at start', [span('12:00', '12:00')], { 1: { to: 'endBeforeStart' } }],
    [
      'overlap told at the later one',
      [span('11:00', '14:00', '30', 2), span('08:00', '12:00')],
      { 2: { from: 'overlap' } },
    ],
    [
      'overlap with one that is not the next',
      [span('08:00', '18:00'), span('09:00', '10:00', '30', 2), span('11:00', '12:00', '30', 3)],
      { 2: { from: 'overlap' }, 3: { from: 'overlap' } },
    ],
    [
      'the same twice',
      [span('08:00', '12:00'), span('08:00', '12:00', '30', 2)],
      { 2: { from: 'overlap' } },
    ],
    ['slot too small', [span('08:00', '12:00', '4')], { 1: { minutes: 'minutes' } }],
    ['slot too long', [span('08:00', '24:00', '481')], { 1: { minutes: 'minutes' } }],
    ['slot no number', [span('08:00', '12:00', '1e2')], { 1: { minutes: 'minutes' } }],
    ['no slot fits', [span('08:00', '08:20')], { 1: { minutes: 'tooShort' } }],
    ['exactly one fits', [span('08:00', '08:30')], {}],
  ];
  test.each(rows)('%s', (_, day, faults) => {
    expect(Object.fromEntries(faultsOf(day))).toEqual(faults);
  });
});

test('what was read is sent again as it was', () => {
  const hours = [
    { weekday: 1, from: '13:00', to: '24:00', slotMinutes: 45 },
    { weekday: 1, from: '08:00', to: '12:00', slotMinutes: 30 },
    { weekday: 7, from: '09:00', to: '10:00', slotMinutes: 10 },
  ];
  const sent = hoursFrom(weekFrom(hours));
  expect(sent).toEqual([hours[1], hours[0], hours[2]]);
});

describe('changes', () => {
  const week = weekFrom([{ weekday: 1, from: '08:00', to: '12:00', slotMinutes: 20 }]);
  const monday = first(week[1]);

  test('a first span is a morning, a next one follows after a break with the same slots', () => {
    expect(hoursFrom(withSpan(week, 2)).at(-1)).toEqual({
      weekday: 2,
      from: '09:00',
      to: '12:00',
      slotMinutes: 30,
    });
    const two = withSpan(week, 1);
    expect(hoursFrom(two)[1]).toEqual({ weekday: 1, from: '13:00', to: '17:00', slotMinutes: 20 });
    expect(hasFaults(two)).toBe(false);
  });

  test('typed in another way is the same week', () => {
    expect(sameWeek(week, withChange(week, 1, monday.key, { from: '8' }))).toBe(true);
    expect(sameWeek(week, withChange(week, 1, monday.key, { to: '12:30' }))).toBe(false);
    expect(sameWeek(week, withoutSpan(withSpan(week, 3), 3, -1))).toBe(false);
  });

  test('copies replace what was there and are changed on their own', () => {
    const copied = withCopies(withSpan(week, 2), 1, [1, 2, 5]);
    expect(hoursFrom(copied).map((hours) => [hours.weekday, hours.from])).toEqual([
      [1, '08:00'],
      [2, '08:00'],
      [5, '08:00'],
    ]);
    const friday = first(copied[5]);
    const changed = withChange(copied, 5, friday.key, { from: '10:00' });
    expect(changed[1][0]?.from).toBe('08:00');
    expect(new Set([copied[1], copied[2], copied[5]].map((day) => day[0]?.key)).size).toBe(3);
  });

  test('clearing a day', () => {
    expect(hoursFrom(withoutDay(week, 1))).toEqual([]);
  });
});

test.each([
  [span('08:00', '12:00'), 8],
  [span('08:00', '12:10', '20'), 12],
  [span('22:00', '24:00'), 4],
  [span('12:00', '08:00'), 0],
  [span('08:00', '12:00', ''), 0],
])('slots in %o: %i', (of, count) => {
  expect(slotsIn(of)).toBe(count);
});
