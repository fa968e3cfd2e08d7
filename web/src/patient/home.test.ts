import { expect, test } from 'vitest';

import { anAppointment } from '../testing/appointments';
import { homeOf, scheduleOf } from './home';

const open = anAppointment({ id: 'open', join: { decision: 'ALLOWED' } });
const tomorrow = anAppointment({
  id: 'tomorrow',
  startsAt: '2026-11-25T14:00:00Z',
});
const asked = anAppointment({
  id: 'asked',
  status: 'REQUESTED',
  startsAt: '2026-12-01T14:00:00Z',
  join: { decision: 'NOT_CONFIRMED' },
});
const closed = anAppointment({
  id: 'closed',
  startsAt: '2026-11-22T10:00:00Z',
  join: { decision: 'TOO_LATE', closesAt: '2026-11-22T12:00:00Z' },
});
const cancelled = anAppointment({
  id: 'cancelled',
  status: 'CANCELLED',
  startsAt: '2026-12-02T10:00:00Z',
  join: { decision: 'OVER', closesAt: '2026-12-02T12:00:00Z' },
});
const done = anAppointment({
  id: 'done',
  status: 'COMPLETED',
  startsAt: '2026-11-23T08:00:00Z',
  join: { decision: 'OVER' },
});
const ALL = [cancelled, asked, tomorrow, closed, open, done];

test('the home has the next confirmed one, the later ones, and requests', () => {
  const home = homeOf(ALL);
  expect(home.next?.id).toBe('open');
  expect(home.later.map(({ id }) => id)).toEqual(['tomorrow']);
  expect(home.requests.map(({ id }) => id)).toEqual(['asked']);
});

test('a request that nobody answered in time is no request any more', () => {
  const missed = { ...asked, join: { ...asked.join, serverTime: asked.join.closesAt } };
  expect(homeOf([missed]).requests).toEqual([]);
});

test('upcoming ones in order with what was called off, past ones from the last on', () => {
  const month = (at: string) => at.slice(0, 7);
  const ids = (which: 'upcoming' | 'past') =>
    scheduleOf(ALL, which, month).map(({ key, appointments }) => [
      key,
      appointments.map(({ id }) => id),
    ]);
  expect(ids('upcoming')).toEqual([
    ['2026-11', ['open', 'tomorrow']],
    ['2026-12', ['asked', 'cancelled']],
  ]);
  expect(ids('past')).toEqual([['2026-11', ['done', 'closed']]]);
});
