import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { renderAs } from '../staff/render.fixture';
import { visit } from '../staff/visit.fixture';
import { type FakeServer, installServer, json } from '../testing/server';
import SchedulePage from './SchedulePage';

let server: FakeServer;
beforeEach(() => {
  server = installServer();
  server.on('GET /v1/appointments', (request) => {
    const from = new URL(request.url).searchParams.get('from') ?? '';
    const appointments =
      from === '2026-11-23T00:00:00.000Z' ? [visit('14:00'), visit('15:00')] : [];
    return json({ appointments, nextCursor: '' });
  });
});
afterEach(() => vi.unstubAllGlobals());

test('a week with all its days, and the next one', async () => {
  const user = userEvent.setup();
  renderAs('DOCTOR', '09:00', <SchedulePage />, '/schedule');
  const today = await screen.findByRole('heading', { name: 'Today, Monday 23 November' });
  const monday = within(today.closest('li') as HTMLElement);
  expect(monday.getAllByRole('link').map((link) => link.textContent)).toEqual([
    'Pia Sommer',
    'Pia Sommer',
  ]);
  expect(screen.getAllByText('No visits')).toHaveLength(6);
  expect(screen.getByRole('status').textContent).toMatch(/^23\s?–\s?29 November 2026 · 2 visits$/);

  await user.click(screen.getByRole('link', { name: 'Next week' }));
  expect(await screen.findByText(/^30 November\s–\s6 December 2026 · 0 visits$/)).toBeTruthy();
  expect(screen.getAllByText('No visits')).toHaveLength(7);
  await user.click(screen.getByRole('link', { name: 'This week' }));
  expect(await screen.findByRole('heading', { name: 'Today, Monday 23 November' })).toBeTruthy();
});

test('an address that is no week shows this one', async () => {
  renderAs('DOCTOR', '09:00', <SchedulePage />, '/schedule?week=2026-99-99');
  expect(await screen.findByRole('heading', { name: /^Today/ })).toBeTruthy();
});
