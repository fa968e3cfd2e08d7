import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { Appointment } from '../api';
import { keys } from '../app/queries';
import { serverClock } from '../app/services';
import { type FakeServer, installServer, json } from '../testing/server';
import BoardPage from './BoardPage';
import { renderAs } from './render.fixture';
import { at, visit } from './visit.fixture';

const NOW = '14:05';
let server: FakeServer;
let day: Appointment[];

const ada = { id: 'ada', name: 'Dr. Ada' };
const ben = { id: 'ben', name: 'Dr. Ben' };
const asked = visit('16:00', { id: 'asked', status: 'REQUESTED', doctor: ben, now: NOW });

beforeEach(() => {
  server = installServer();
  day = [
    visit('14:00', { id: 'late', doctor: ada, now: NOW, patient: { name: 'Pia', in: '13:32' } }),
    visit('15:00', { id: 'off', doctor: ada, now: NOW, status: 'CANCELLED' }),
    asked,
  ];
  server.on('GET /v1/appointments', () => json({ appointments: day, nextCursor: '' }));
  server.on('GET /v1/doctors', () =>
    json({
      doctors: [
        { id: 'ada', displayName: 'Dr. Ada', speciality: 'Skin' },
        { id: 'ben', displayName: 'Dr. Ben', speciality: '' },
        { id: 'eve', displayName: 'Dr. Eve', speciality: '' },
      ],
    }),
  );
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const row = (id: string) => screen.findByTestId(`appointment-${id}`);

describe('the board', () => {
  test('a column for each doctor, each visit with who and since when', async () => {
    renderAs('STAFF', NOW, <BoardPage />);
    const column = within(await screen.findByRole('region', { name: 'Dr. Ada' }));
    expect(column.getByText('Late')).toBeTruthy();
    expect(column.getByText('Not come yet: Dr. Ada')).toBeTruthy();
    expect(column.getByText('Pia has been waiting since 13:32')).toBeTruthy();
    expect(column.getByText('1 cancelled or declined').closest('details')?.open).toBe(false);
    expect(screen.getByText('No visits: Dr. Eve')).toBeTruthy();
  });

  test('counts filter', async () => {
    const user = userEvent.setup();
    renderAs('STAFF', NOW, <BoardPage />);
    const filter = await screen.findByRole('button', { name: 'Waiting 1' });
    await user.click(filter);
    expect(filter.getAttribute('aria-pressed')).toBe('true');
    expect(screen.queryByTestId('appointment-asked')).toBeNull();
    expect(await row('late')).toBeTruthy();
    await user.click(screen.getByRole('button', { name: 'Missed 0' }));
    await user.click(screen.getByRole('button', { name: 'Show all' }));
    expect(await row('asked')).toBeTruthy();
  });

  test('a day is asked for as the viewer has it', async () => {
    const user = userEvent.setup();
    renderAs('STAFF', NOW, <BoardPage />);
    await user.click(await screen.findByRole('button', { name: 'Next day' }));
    await waitFor(() =>
      expect(server.asked.map(decodeURIComponent)).toContain(
        'GET /v1/appointments?from=2026-11-24T00:00:00.000Z&to=2026-11-25T00:00:00.000Z&limit=100',
      ),
    );
    expect(await screen.findByText('Tuesday 24 November')).toBeTruthy();
  });
});

describe('actions', () => {
  test('confirm', async () => {
    const user = userEvent.setup();
    server.on('POST /v1/appointments/asked/confirm', () => {
      const confirmed: Appointment = { ...asked, status: 'CONFIRMED', version: 3 };
      day = [confirmed];
      return json(confirmed);
    });
    renderAs('STAFF', NOW, <BoardPage />);
    const summary = within(await row('asked')).getByRole('button');
    await user.click(summary);
    expect(summary.getAttribute('aria-expanded')).toBe('true');
    await user.click(screen.getByRole('button', { name: /^Confirm and tell the patient/ }));
    await waitFor(async () => expect((await row('asked')).dataset.state).toBe('confirmed'));
  });

  test('a no-show needs to know who', async () => {
    const user = userEvent.setup();
    let sent: unknown;
    server.on('POST /v1/appointments/late/no-show', async (request) => {
      sent = await request.json();
      day = [
        {
          ...visit('14:00', { id: 'late', doctor: ada, now: NOW }),
          status: 'NO_SHOW',
          version: 3,
          noShow: 'DOCTOR',
        },
      ];
      return json(day[0]);
    });
    renderAs('STAFF', NOW, <BoardPage />);
    await user.click(within(await row('late')).getByRole('button'));
    await user.click(screen.getByRole('button', { name: 'Mark as missed: Pia' }));
    const dialog = within(await screen.findByRole('dialog'));
    const send = dialog.getByRole('button', { name: 'Mark as missed' });
    expect(send.hasAttribute('disabled')).toBe(true);
    await user.click(dialog.getByRole('radio', { name: 'The doctor: Dr. Ada' }));
    await user.click(send);
    expect(await screen.findByText('Did not come: Dr. Ada')).toBeTruthy();
    expect(sent).toEqual({ side: 'DOCTOR', note: '' });
  });
});

describe('by itself', () => {
  test('a notice moves a row', async () => {
    const { cache } = renderAs('STAFF', NOW, <BoardPage />);
    expect((await row('late')).dataset.state).toBe('late');
    day = [
      visit('14:00', {
        id: 'late',
        doctor: { ...ada, in: '14:04' },
        now: NOW,
        patient: { name: 'Pia', in: '13:32' },
      }),
    ];
    await cache.invalidateQueries({ queryKey: keys.appointments });
    await waitFor(async () => expect((await row('late')).dataset.state).toBe('inCall'));
    expect(screen.getByText('Together since 14:04')).toBeTruthy();
  });

  test('the start passes: the state moves on and the server is asked, once', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    day = [visit('14:00', { id: 'next', doctor: ada, now: '13:59' })];
    renderAs('STAFF', '13:59', <BoardPage />);
    expect((await row('next')).dataset.state).toBe('open');
    const lists = () => server.asked.filter((one) => one.startsWith('GET /v1/appointments')).length;
    const before = lists();
    server.on('GET /v1/appointments', () =>
      json({
        appointments: [visit('14:00', { id: 'next', doctor: ada, now: '14:00' })],
        nextCursor: '',
      }),
    );
    await vi.advanceTimersByTimeAsync(50_000);
    expect(lists()).toBe(before);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(serverClock.now()).toBeGreaterThanOrEqual(at('14:00'));
    await waitFor(async () => expect((await row('next')).dataset.state).toBe('late'));
    expect(lists()).toBe(before + 1);
  });

  test('hundreds of visits are drawn', async () => {
    day = Array.from({ length: 400 }, (_, n) =>
      visit('16:00', { id: `visit-${n}`, now: NOW, doctor: n % 2 ? ada : ben }),
    );
    renderAs('STAFF', NOW, <BoardPage />);
    expect(await screen.findAllByTestId(/^appointment-/)).toHaveLength(400);
  });
});
