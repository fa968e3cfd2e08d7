import { expect, test } from 'vitest';

import { at, visit } from '../staff/visit.fixture';
import { arrangeToday, waitingPatients } from './today';

const DAY = '2026-11-23';
const ids = (appointments: readonly { id: string }[]) => appointments.map(({ id }) => id);

test('the current one first, then what comes, then what was', () => {
  const day = [
    visit('08:00', { id: 'done', status: 'COMPLETED' }),
    visit('09:00', { id: 'off', status: 'CANCELLED' }),
    visit('13:00', { id: 'left', patient: { left: '13:20' }, doctor: { left: '13:21' } }),
    visit('13:30', { id: 'late' }),
    visit('14:00', { id: 'waits', patient: { in: '13:40' } }),
    visit('14:00', { id: 'talks', patient: { in: '13:40' }, doctor: { in: '13:45' } }),
    visit('14:05', { id: 'open' }),
    visit('16:00', { id: 'asked', status: 'REQUESTED' }),
    visit('17:00', { id: 'later' }),
  ];
  const today = arrangeToday(day, at('13:50'), DAY, 'UTC');
  expect(ids(today.current)).toEqual(['waits', 'talks', 'late', 'open', 'left']);
  expect(ids(today.later)).toEqual(['later']);
  expect(ids(today.earlier)).toEqual(['done', 'off']);
});

test('a call that goes on over midnight is still there, what is over is not', () => {
  const yesterday = [
    visit('23:30', { id: 'on', patient: { in: '23:20' }, doctor: { in: '23:29' } }),
    visit('23:30', { id: 'gone', status: 'COMPLETED' }),
    visit('20:00', { id: 'old', patient: { left: '20:10' }, doctor: { left: '20:10' } }),
  ];
  const today = arrangeToday(yesterday, at('23:59') + 120_000, '2026-11-24', 'UTC');
  expect(ids(today.current)).toEqual(['on']);
  expect([...today.later, ...today.earlier]).toEqual([]);
});

test('waiting patients: alone in the call, longest first', () => {
  const day = [
    visit('14:00', { id: 'second', patient: { name: 'B', in: '13:45' } }),
    visit('14:00', { id: 'first', patient: { name: 'A', in: '13:32' } }),
    visit('14:00', { id: 'talks', patient: { in: '13:31' }, doctor: { in: '13:31' } }),
    visit('14:00', { id: 'empty' }),
    visit('14:00', { id: 'over', status: 'COMPLETED', patient: { in: '13:31' } }),
    visit('14:00', { id: 'doctor', doctor: { in: '13:31' } }),
  ];
  expect(waitingPatients(day, at('14:05'))).toEqual([
    { appointmentId: 'first', name: 'A', since: at('13:32') },
    { appointmentId: 'second', name: 'B', since: at('13:45') },
  ]);
});
