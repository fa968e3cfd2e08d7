import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { Appointment } from '../api';
import { keys } from '../app/queries';
import { renderAs } from '../staff/render.fixture';
import { visit, type VisitOptions } from '../staff/visit.fixture';
import { type FakeServer, installServer, json, problem } from '../testing/server';
import * as chime from './chime';
import HomePage from './HomePage';
import WaitingAlert from './WaitingAlert';

const NOW = '13:40';
let server: FakeServer;
let day: Appointment[];

const own = (time: string, options: VisitOptions = {}) => {
  const found = visit(time, { now: NOW, ...options });
  return { ...found, join: { ...found.join, decision: 'ALLOWED' as const } };
};

beforeEach(() => {
  vi.spyOn(chime, 'chime').mockResolvedValue();
  server = installServer();
  server.on('GET /v1/appointments', (request) => {
    const status = new URL(request.url).searchParams.get('status');
    const appointments = day.filter((one) => !status || one.status === status);
    return json({ appointments, nextCursor: '' });
  });
});
afterEach(() => vi.unstubAllGlobals());

describe('who waits', () => {
  test('is on the page and in the title; whoever comes later is heard once', async () => {
    day = [own('14:00', { id: 'first', patient: { name: 'Pia Sommer', in: '13:32' } })];
    const { cache, unmount } = renderAs(
      'DOCTOR',
      NOW,
      <>
        <WaitingAlert />
        <HomePage />
      </>,
    );
    expect(await screen.findByText('Pia Sommer has been waiting since 13:32')).toBeTruthy();
    await waitFor(() => expect(document.title).toContain('(1 waiting)'));
    expect(chime.chime).not.toHaveBeenCalled();

    day = [...day, own('14:00', { id: 'next', patient: { name: 'Quentin Roth', in: '13:39' } })];
    await cache.invalidateQueries({ queryKey: keys.appointments });
    await waitFor(() => expect(document.title).toContain('(2 waiting)'));
    await cache.invalidateQueries({ queryKey: keys.appointments });
    expect(chime.chime).toHaveBeenCalledOnce();

    day = [];
    await cache.invalidateQueries({ queryKey: keys.appointments });
    await waitFor(() => expect(document.title).not.toContain('waiting'));
    unmount();
  });
});

describe('requests', () => {
  test('one press confirms by the version that was seen', async () => {
    const user = userEvent.setup();
    const asked = own('16:00', { id: 'visit', status: 'REQUESTED', reason: 'A rash' });
    day = [asked];
    let ifMatch: string | null = null;
    server.on('POST /v1/appointments/visit/confirm', (request) => {
      ifMatch = request.headers.get('If-Match');
      day = [{ ...asked, status: 'CONFIRMED', version: 3 }];
      return json(day[0]);
    });
    renderAs('DOCTOR', NOW, <HomePage />);
    expect(await screen.findByRole('heading', { name: '1 request to answer' })).toBeTruthy();
    expect(screen.getByText('Reason: A rash')).toBeTruthy();
    await user.click(screen.getByRole('button', { name: /^Confirm and tell the patient/ }));
    expect(await screen.findByText('Confirmed. Pia Sommer has been told.')).toBeTruthy();
    await waitFor(() => expect(screen.queryByText('1 request to answer')).toBeNull());
    expect(screen.getByRole('heading', { name: '1 visit later today' })).toBeTruthy();
    expect(ifMatch).toBe('"2"');
  });

  test('somebody was quicker: it says what the appointment is now', async () => {
    const user = userEvent.setup();
    const asked = own('16:00', { id: 'visit', status: 'REQUESTED' });
    day = [asked];
    server.on('POST /v1/appointments/visit/confirm', () => problem(412, 'stale'));
    server.on('GET /v1/appointments/visit', () =>
      json({ ...asked, version: 4, startsAt: '2026-11-23T17:00:00.000Z' }),
    );
    renderAs('DOCTOR', NOW, <HomePage />);
    await user.click(await screen.findByRole('button', { name: /^Confirm and tell/ }));
    expect(await screen.findByText('This appointment has changed meanwhile')).toBeTruthy();
  });
});

test('completing asks for a note', async () => {
  const user = userEvent.setup();
  const talked = own('13:00', {
    id: 'visit',
    patient: { left: '13:30' },
    doctor: { left: '13:31' },
  });
  day = [talked];
  let sent: unknown;
  server.on('POST /v1/appointments/visit/complete', async (request) => {
    sent = await request.json();
    day = [{ ...talked, status: 'COMPLETED', version: 3 }];
    return json(day[0]);
  });
  renderAs('DOCTOR', NOW, <HomePage />);
  await user.click(await screen.findByRole('button', { name: 'Complete the visit: Pia Sommer' }));
  const dialog = within(await screen.findByRole('dialog'));
  await user.type(dialog.getByRole('textbox'), 'All well');
  await user.click(dialog.getByRole('button', { name: 'Complete the visit' }));
  expect(await screen.findByText('The visit is completed.')).toBeTruthy();
  expect(sent).toEqual({ note: 'All well' });
  expect(await screen.findByRole('heading', { name: 'Earlier today' })).toBeTruthy();
});

test('an empty day, and the server that cannot be asked', async () => {
  day = [];
  const { unmount } = renderAs('DOCTOR', NOW, <HomePage />);
  expect(await screen.findByText('No visits today')).toBeTruthy();
  unmount();

  server.on('GET /v1/appointments', () => problem(503, 'unavailable'));
  const user = userEvent.setup();
  renderAs('DOCTOR', NOW, <HomePage />);
  const again = await screen.findByRole('button', { name: 'Try again' });
  server.on('GET /v1/appointments', () => json({ appointments: [], nextCursor: '' }));
  await user.click(again);
  expect(await screen.findByText('No visits today')).toBeTruthy();
});
