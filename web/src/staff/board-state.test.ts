import { describe, expect, test } from 'vitest';

import type { Appointment } from '../api';
import { type BoardState, boardState, countGroups, groupsOf, nextEdge } from './board-state';
import { at, visit, type VisitOptions } from './visit.fixture';

const MINUTE = 60_000;

/** A visit at 14:00, open from 13:30 to 16:00; `now` as "HH:MM" of that day. */
const rows: {
  what: string;
  now: string;
  visit?: VisitOptions;
  kind: BoardState['kind'];
  who?: string[];
  waiting?: string;
  since?: string;
}[] = [
  {
    what: 'asked for',
    now: '09:00',
    visit: { status: 'REQUESTED' },
    kind: 'requested',
    since: '08:00',
  },
  {
    what: 'asked for, start passed',
    now: '14:30',
    visit: { status: 'REQUESTED' },
    kind: 'requested',
    since: '08:00',
  },
  { what: 'long before', now: '13:14', kind: 'confirmed' },
  { what: 'a quarter before the opening', now: '13:15', kind: 'soon' },
  { what: 'just before the opening', now: '13:29', kind: 'soon' },
  { what: 'opened', now: '13:30', kind: 'open', since: '13:30' },
  { what: 'open, nobody', now: '13:59', kind: 'open', since: '13:30' },
  {
    what: 'patient waits',
    now: '13:40',
    visit: { patient: { in: '13:32' } },
    kind: 'waiting',
    who: ['patient'],
    waiting: 'patient',
    since: '13:32',
  },
  {
    what: 'doctor waits',
    now: '13:40',
    visit: { doctor: { in: '13:35' } },
    kind: 'waiting',
    who: ['doctor'],
    waiting: 'doctor',
    since: '13:35',
  },
  {
    what: 'nobody at the start',
    now: '14:00',
    kind: 'late',
    who: ['patient', 'doctor'],
    since: '14:00',
  },
  {
    what: 'patient waits, doctor late',
    now: '14:05',
    visit: { patient: { in: '13:32' } },
    kind: 'late',
    who: ['doctor'],
    waiting: 'patient',
    since: '13:32',
  },
  {
    what: 'doctor waits, patient late',
    now: '14:05',
    visit: { doctor: { in: '13:58' } },
    kind: 'late',
    who: ['patient'],
    waiting: 'doctor',
    since: '13:58',
  },
  {
    what: 'patient came and went, doctor late',
    now: '14:05',
    visit: { patient: { left: '13:50' } },
    kind: 'late',
    who: ['doctor'],
    since: '14:00',
  },
  {
    what: 'patient came and went before the start',
    now: '13:55',
    visit: { patient: { left: '13:50' } },
    kind: 'open',
    since: '13:30',
  },
  {
    what: 'both in',
    now: '14:05',
    visit: { patient: { in: '13:32' }, doctor: { in: '14:01' } },
    kind: 'inCall',
    since: '14:01',
  },
  {
    what: 'both in, early',
    now: '13:45',
    visit: { patient: { in: '13:44' }, doctor: { in: '13:31' } },
    kind: 'inCall',
    since: '13:44',
  },
  {
    what: 'doctor left, patient still there',
    now: '14:20',
    visit: { patient: { in: '13:32' }, doctor: { left: '14:10' } },
    kind: 'waiting',
    who: ['patient'],
    waiting: 'patient',
    since: '14:10',
  },
  {
    what: 'patient left, doctor came later',
    now: '14:20',
    visit: { patient: { left: '13:40' }, doctor: { in: '14:10' } },
    kind: 'waiting',
    who: ['doctor'],
    waiting: 'doctor',
    since: '14:10',
  },
  {
    what: 'both left',
    now: '14:40',
    visit: { patient: { left: '14:30' }, doctor: { left: '14:31' } },
    kind: 'left',
    since: '14:31',
  },
  { what: 'over', now: '14:40', visit: { status: 'COMPLETED' }, kind: 'completed', since: '08:30' },
  {
    what: 'patient did not come',
    now: '16:00',
    visit: { status: 'NO_SHOW', noShow: 'PATIENT' },
    kind: 'noShow',
    who: ['patient'],
    since: '08:30',
  },
  {
    what: 'doctor did not come',
    now: '16:00',
    visit: { status: 'NO_SHOW', noShow: 'DOCTOR' },
    kind: 'noShow',
    who: ['doctor'],
    since: '08:30',
  },
  {
    what: 'nobody came',
    now: '16:00',
    visit: { status: 'NO_SHOW', noShow: 'BOTH' },
    kind: 'noShow',
    who: ['patient', 'doctor'],
    since: '08:30',
  },
  {
    what: 'missed each other',
    now: '16:00',
    visit: { status: 'NO_SHOW', noShow: 'MISSED' },
    kind: 'noShow',
    since: '08:30',
  },
  {
    what: 'called off',
    now: '14:40',
    visit: { status: 'CANCELLED', patient: { in: '13:40' } },
    kind: 'cancelled',
    since: '08:30',
  },
  {
    what: 'declined',
    now: '14:40',
    visit: { status: 'DECLINED' },
    kind: 'declined',
    since: '08:30',
  },
];

describe('the state of an appointment', () => {
  test.each(rows)('$what, $now: $kind', (row) => {
    const state = boardState(visit('14:00', row.visit), at(row.now));
    expect(state.kind).toBe(row.kind);
    expect(state.who).toEqual(row.who ?? []);
    expect(state.waiting).toBe(row.waiting);
    expect(state.since).toBe(row.since === undefined ? undefined : at(row.since));
  });

  test('an interpreter is neither side', () => {
    const appointment = visit('14:00');
    const withInterpreter: Appointment = {
      ...appointment,
      participants: [
        ...appointment.participants,
        {
          id: 'i',
          personId: 'i',
          type: 'INTERPRETER',
          displayName: 'I',
          inCallSince: '2026-11-23T13:31:00Z',
        },
      ],
    };
    expect(boardState(withInterpreter, at('13:40')).kind).toBe('open');
  });
});

describe('when time alone changes something', () => {
  test('each edge of a confirmed visit, then none', () => {
    const edges: string[] = [];
    let now = at('08:00');
    for (let next = nextEdge([visit('14:00')], now); next !== undefined;) {
      edges.push(new Date(next).toISOString().slice(11, 16));
      now = next;
      next = nextEdge([visit('14:00')], now);
    }
    expect(edges).toEqual(['13:15', '13:30', '14:00', '16:00']);
  });

  test('the earliest of all', () => {
    const day = [visit('14:00'), visit('10:00'), visit('09:00', { status: 'CANCELLED' })];
    expect(nextEdge(day, at('08:00'))).toBe(at('09:15'));
  });

  test.each(['REQUESTED', 'COMPLETED', 'DECLINED'] as const)('never for %s', (status) => {
    expect(nextEdge([visit('14:00', { status })], at('08:00'))).toBeUndefined();
  });

  test('between two edges no state changes', () => {
    const appointment = visit('14:00');
    for (let now = at('08:00'); now < at('17:00'); now += MINUTE) {
      const next = nextEdge([appointment], now);
      if (next === undefined || next > now + MINUTE)
        expect(boardState(appointment, now + MINUTE - 1)).toEqual(boardState(appointment, now));
    }
  });
});

test('groups: counted once, who waits for somebody late twice', () => {
  const now = at('14:05');
  const states = [
    visit('14:00'),
    visit('14:00', { patient: { in: '13:50' } }),
    visit('14:00', { patient: { in: '13:50' }, doctor: { in: '13:50' } }),
    visit('16:00'),
    visit('16:00', { status: 'REQUESTED' }),
    visit('09:00', { status: 'NO_SHOW', noShow: 'BOTH' }),
    visit('09:00', { status: 'CANCELLED' }),
    visit('09:00', { status: 'COMPLETED' }),
  ].map((appointment) => boardState(appointment, now));
  expect(states[1] && groupsOf(states[1])).toEqual(['late', 'waiting']);
  expect(countGroups(states)).toEqual({
    requested: 1,
    waiting: 1,
    late: 2,
    inCall: 1,
    upcoming: 1,
    done: 1,
    noShow: 1,
    off: 1,
  });
});
