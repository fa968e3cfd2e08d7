import { describe, expect, test } from 'vitest';

import type { JoinDecision } from '../api';
import { anAppointment, DOCTOR, PATIENT } from '../testing/appointments';
import { joinView, nextEdge } from './join';

const told = (decision: JoinDecision) => anAppointment({ join: { decision } });

test.each([
  ['ALLOWED', 'open', '2026-11-24T16:00:00Z'],
  ['ALREADY_IN_CALL', 'open', '2026-11-24T16:00:00Z'],
  ['TOO_EARLY', 'early', '2026-11-24T13:30:00Z'],
  ['WAITING', 'waiting', '2026-11-24T16:00:00Z'],
  ['NOT_CONFIRMED', 'unconfirmed', null],
  ['TOO_LATE', 'late', null],
  ['OVER', 'over', null],
  ['NOT_FOUND', 'none', null],
  ['WRONG_PARTICIPANT_TYPE', 'none', null],
] as const)('%s is shown as %s', (decision, kind, edge) => {
  expect(joinView(told(decision), 'patient').kind).toBe(kind);
  expect(nextEdge(told(decision))).toBe(edge && Date.parse(edge));
});

test('a decision of a newer server opens nothing', () => {
  expect(joinView(told('SOMETHING_NEW' as JoinDecision), 'patient').kind).toBe('none');
});

test('staff have no way in', () => {
  expect(joinView(told('ALLOWED'), 'staff').kind).toBe('none');
});

describe('who is there', () => {
  const since = '2026-11-24T13:45:00Z';
  const withDoctor = anAppointment({
    participants: [PATIENT, { ...DOCTOR, inCallSince: since }],
    join: { decision: 'ALLOWED' },
  });

  test('the patient sees the doctor wait', () => {
    const view = joinView(withDoctor, 'patient');
    expect(view).toMatchObject({ elsewhere: false });
    expect(view.kind === 'open' && view.waiting.map((one) => one.displayName)).toEqual([
      'Dr. Ada Lindqvist',
    ]);
  });

  test('the doctor is told that they are in it by another device', () => {
    expect(joinView(withDoctor, 'doctor')).toMatchObject({ elsewhere: true, waiting: [] });
  });
});
