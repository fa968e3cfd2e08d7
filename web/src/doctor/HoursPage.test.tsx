import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { WeeklyHours } from '../api';
import { renderAs } from '../staff/render.fixture';
import { type FakeServer, installServer, json, problem } from '../testing/server';
import HoursPage from './HoursPage';

const PATH = '/v1/doctors/doctor-1/availability';
const MORNING: WeeklyHours = { weekday: 1, from: '08:00', to: '12:00', slotMinutes: 30 };

let server: FakeServer;
let saved: WeeklyHours[];
const reply = () => json({ doctorId: 'doctor-1', timeZone: 'Europe/Berlin', hours: saved });

beforeEach(() => {
  server = installServer();
  saved = [MORNING];
  server.on(`GET ${PATH}`, reply);
  server.on(`PUT ${PATH}`, async (request) => {
    saved = ((await request.json()) as { hours: WeeklyHours[] }).hours;
    return reply();
  });
  server.on('GET /v1/appointments', () => json({ appointments: [], nextCursor: '' }));
});
afterEach(() => vi.unstubAllGlobals());

const day = (name: string) => screen.findByRole('region', { name });
const save = () => screen.getByRole('button', { name: 'Save the hours' });
const puts = () => server.asked.filter((asked) => asked.startsWith('PUT'));

describe('weekly hours', () => {
  test('named by the zone of the clinic; nothing to save at first', async () => {
    renderAs('DOCTOR', '09:00', <HoursPage />);
    expect(await screen.findByText(/Central European Standard Time/)).toBeTruthy();
    expect(save().hasAttribute('disabled')).toBe(true);
    expect(within(await day('Tuesday')).getByText(/No hours/)).toBeTruthy();
  });

  test('a fault is told at its field, takes the focus, and nothing is sent', async () => {
    const user = userEvent.setup();
    renderAs('DOCTOR', '09:00', <HoursPage />);
    const to = within(await day('Monday')).getByLabelText('To');
    await user.clear(to);
    await user.type(to, '7');
    await user.click(save());
    await waitFor(() => expect(document.activeElement).toBe(to));
    expect((to as HTMLInputElement).value).toBe('07:00');
    const words = to.getAttribute('aria-describedby') ?? '';
    expect(document.getElementById(words)?.textContent).toMatch(/end must come after/);
    expect(puts()).toEqual([]);
  });

  test('typed, copied and saved; booked appointments stay, it says', async () => {
    const user = userEvent.setup();
    renderAs('DOCTOR', '09:00', <HoursPage />);
    const monday = within(await day('Monday'));
    const to = monday.getByLabelText('To');
    await user.clear(to);
    await user.type(to, '24');
    await user.click(monday.getByRole('button', { name: 'Copy to other days: Monday' }));
    const dialog = within(await screen.findByRole('dialog'));
    await user.click(dialog.getByRole('checkbox', { name: 'Friday' }));
    await user.click(dialog.getByRole('button', { name: 'Copy' }));
    await user.click(save());
    expect(await screen.findByText(/^Saved\. Visits that are booked already stay/)).toBeTruthy();
    expect(saved).toEqual([
      { ...MORNING, to: '24:00' },
      { ...MORNING, to: '24:00', weekday: 5 },
    ]);
    expect(save().hasAttribute('disabled')).toBe(true);
  });

  test('what is not saved is still there after another page, and asked about on leaving', async () => {
    const user = userEvent.setup();
    const { show } = renderAs('DOCTOR', '09:00', <HoursPage />);
    await user.click(
      within(await day('Tuesday')).getByRole('button', { name: 'Add hours: Tuesday' }),
    );
    const leaving = new Event('beforeunload', { cancelable: true });
    window.dispatchEvent(leaving);
    expect(leaving.defaultPrevented).toBe(true);

    show(<p>elsewhere</p>);
    expect(await screen.findByText(/You find them when you come back/)).toBeTruthy();
    show(<HoursPage />);
    expect(within(await day('Tuesday')).getByLabelText('From')).toBeTruthy();
    await user.click(screen.getByRole('button', { name: 'Discard the changes' }));
    expect(within(await day('Tuesday')).getByText(/No hours/)).toBeTruthy();
  });

  test('changed elsewhere meanwhile: it says so instead of losing either', async () => {
    const user = userEvent.setup();
    const { cache } = renderAs('DOCTOR', '09:00', <HoursPage />);
    await user.click(
      within(await day('Tuesday')).getByRole('button', { name: 'Add hours: Tuesday' }),
    );
    expect(screen.queryByText(/changed elsewhere/)).toBeNull();
    saved = [{ ...MORNING, to: '13:00' }];
    await cache.invalidateQueries();
    expect(await screen.findByText(/changed elsewhere/)).toBeTruthy();
    expect(within(await day('Tuesday')).getByLabelText('From')).toBeTruthy();
  });

  test('refused by the server: what was written stays', async () => {
    const user = userEvent.setup();
    server.on(`PUT ${PATH}`, () => problem(503, 'unavailable'));
    renderAs('DOCTOR', '09:00', <HoursPage />);
    await user.click(
      within(await day('Monday')).getByRole('button', { name: 'Remove Monday, hours 1' }),
    );
    await user.click(save());
    expect(await screen.findByRole('alert')).toBeTruthy();
    expect(within(await day('Monday')).getByText(/No hours/)).toBeTruthy();
    expect(screen.getByText('Your changes are not saved yet.')).toBeTruthy();
  });
});
