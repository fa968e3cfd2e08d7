import { screen, waitFor } from '@testing-library/react';
import userEvent, { type UserEvent } from '@testing-library/user-event';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { type FakeServer, installServer, json, problem } from '../testing/server';
import BookPage from './BookPage';
import { renderAs } from './render.fixture';
import { visit } from './visit.fixture';

const NOW = '09:00';
let server: FakeServer;

beforeEach(() => {
  server = installServer();
  server.on('GET /v1/clinic', () => json({ id: 'c', timeZone: 'UTC', policy: {} }));
  server.on('GET /v1/doctors', () =>
    json({ doctors: [{ id: 'ada', displayName: 'Dr. Ada', speciality: '' }] }),
  );
  server.on('POST /v1/patients/search', () =>
    json({ patients: [{ id: 'rosa', displayName: 'Rosa Vidal', email: 'rosa@demo.example' }] }),
  );
  server.on('GET /v1/doctors/ada/slots', () =>
    json({
      timeZone: 'UTC',
      slots: [{ startsAt: '2026-11-23T15:00:00Z', endsAt: '2026-11-23T15:30:00Z' }],
    }),
  );
});
afterEach(() => vi.unstubAllGlobals());

const searches = () => server.asked.filter((asked) => asked.includes('/v1/patients'));
const submit = (user: UserEvent) =>
  user.click(screen.getByRole('button', { name: 'Book the visit' }));

async function fillIn(user: UserEvent): Promise<void> {
  await user.click(screen.getByRole('combobox', { name: 'Patient' }));
  await user.paste('ros');
  await user.click(await screen.findByRole('option', { name: /Rosa Vidal/ }));
  await screen.findByRole('option', { name: 'Dr. Ada' });
  await user.selectOptions(screen.getByLabelText('Doctor'), 'ada');
  await user.click(await screen.findByRole('radio', { name: /15:00/ }));
  await user.type(screen.getByRole('textbox', { name: /^Reason/ }), 'A rash');
}

test('found by a few letters, booked once though it is tried twice', async () => {
  const user = userEvent.setup();
  const sent: { key: string | null; body: unknown }[] = [];
  server.on('POST /v1/appointments', async (request) => {
    sent.push({ key: request.headers.get('Idempotency-Key'), body: await request.json() });
    return sent.length === 1
      ? problem(504, 'unknown-outcome')
      : json(visit('15:00', { now: NOW }), 201);
  });
  renderAs('STAFF', NOW, <BookPage />);
  await fillIn(user);
  expect(searches()).toEqual(['POST /v1/patients/search']);
  const box = screen.getByRole<HTMLInputElement>('combobox', { name: 'Patient' });
  expect(box.value).toBe('Rosa Vidal');

  await submit(user);
  await screen.findByRole('alert');
  await submit(user);
  const heading = await screen.findByRole('heading', { name: 'The visit is booked and confirmed' });
  await waitFor(() => expect(document.activeElement).toBe(heading));
  expect(sent.map(({ body }) => body)).toEqual(
    Array(2).fill({
      patientId: 'rosa',
      doctorId: 'ada',
      startsAt: '2026-11-23T15:00:00Z',
      reason: 'A rash',
      confirmed: true,
    }),
  );
  expect(sent[0]?.key).toBeTruthy();
  expect(sent[1]?.key).toBe(sent[0]?.key);
});

test('a time that was taken meanwhile: it says so and keeps the rest', async () => {
  const user = userEvent.setup();
  server.on('POST /v1/appointments', () => problem(409, 'slot-taken'));
  renderAs('STAFF', NOW, <BookPage />);
  await fillIn(user);
  await submit(user);
  expect(await screen.findByText(/^This time is not free/)).toBeTruthy();
  expect(screen.getByDisplayValue('A rash')).toBeTruthy();
  expect(screen.getByDisplayValue('Rosa Vidal')).toBeTruthy();
});

test('what is missing is said at its field, and nothing is sent', async () => {
  const user = userEvent.setup();
  renderAs('STAFF', NOW, <BookPage />);
  await submit(user);
  const box = screen.getByRole('combobox', { name: 'Patient' });
  await waitFor(() => expect(document.activeElement).toBe(box));
  expect(screen.getByText('Please choose a patient from the list.')).toBeTruthy();
  expect(screen.getByText('Please choose a doctor.')).toBeTruthy();
  expect(server.asked.filter((asked) => asked.startsWith('POST'))).toEqual([]);
});
