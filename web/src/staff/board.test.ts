import { describe, expect, test } from 'vitest';

import type { Doctor } from '../api';
import { boardVisits, columnsOf, isSameVisit } from './board';
import { at, visit, type VisitOptions } from './visit.fixture';

const doctors: Doctor[] = [
  { id: 'a', displayName: 'Dr. A', speciality: 'Skin' },
  { id: 'b', displayName: 'Dr. B', speciality: '' },
  { id: 'c', displayName: 'Dr. C', speciality: '' },
];
const of = (id: string, doctor: string, time: string, more: VisitOptions = {}) =>
  visit(time, { id, ...more, doctor: { id: doctor, name: doctor, ...more.doctor } });

const day = boardVisits(
  [
    of('1', 'b', '14:00'),
    of('2', 'a', '14:00', { patient: { in: '13:40' } }),
    of('3', 'a', '15:00', { status: 'CANCELLED' }),
    of('4', 'gone', '16:00'),
  ],
  at('14:05'),
  'STAFF',
);
const shape = (filter: Parameters<typeof columnsOf>[2]) =>
  columnsOf(day, doctors, filter).map(({ name, visits, off }) => [
    name,
    visits.map(({ appointment }) => appointment.id),
    off.map(({ appointment }) => appointment.id),
  ]);

describe('columns', () => {
  test('in the order of the doctors, empty ones left out, who left the clinic at the end', () => {
    expect(shape(null)).toEqual([
      ['Dr. A', ['2'], ['3']],
      ['Dr. B', ['1'], []],
      ['gone', ['4'], []],
    ]);
  });

  test('a filter shows one group, also what is out of the way', () => {
    expect(shape('waiting')).toEqual([['Dr. A', ['2'], []]]);
    expect(shape('late')).toEqual([
      ['Dr. A', ['2'], []],
      ['Dr. B', ['1'], []],
    ]);
    expect(shape('off')).toEqual([['Dr. A', ['3'], []]]);
    expect(shape('done')).toEqual([]);
  });
});

describe('what staff may do', () => {
  const rows: [string, VisitOptions, string, string[]][] = [
    ['requested', { status: 'REQUESTED' }, '12:00', ['confirm', 'decline', 'cancel']],
    ['before the start', {}, '13:59', ['move', 'cancel']],
    ['after the start', {}, '14:00', ['noShow', 'move', 'cancel']],
    ['completed', { status: 'COMPLETED' }, '15:00', ['noShow']],
    ['missed', { status: 'NO_SHOW', noShow: 'BOTH' }, '15:00', ['complete']],
    ['cancelled', { status: 'CANCELLED' }, '15:00', []],
    ['declined', { status: 'DECLINED' }, '15:00', []],
  ];
  test.each(rows)('%s', (_, options, now, actions) => {
    const of = (role: 'STAFF' | 'ADMIN') =>
      boardVisits([visit('14:00', options)], at(now), role).map((found) => found.actions);
    expect(of('STAFF')).toEqual([actions]);
    expect(of('ADMIN')).toEqual([[]]);
  });
});

test('a row is drawn again when something in it is new, not when only the answer is', () => {
  const appointment = visit('14:00');
  const asked = (more: Partial<typeof appointment>, now = '13:40') =>
    boardVisits([{ ...appointment, ...more }], at(now), 'STAFF').at(0);
  const before = asked({});
  const differs = (after: typeof before) => !before || !after || !isSameVisit(before, after);
  expect(
    differs(asked({ join: { ...appointment.join, serverTime: '2026-11-23T13:40:01Z' } })),
  ).toBe(false);
  expect(differs(asked({ version: 3 }))).toBe(true);
  expect(differs(asked({}, '14:00'))).toBe(true);
  expect(
    differs(asked({ participants: visit('14:00', { patient: { in: '13:39' } }).participants })),
  ).toBe(true);
});
