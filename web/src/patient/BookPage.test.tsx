import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { serverClock } from '../app/services';
import { anAppointment } from '../testing/appointments';
import { PIA, renderAs } from '../testing/render';
import { type FakeServer, installServer, json, problem } from '../testing/server';
import BookPage from './BookPage';

const CLINIC = {
  id: 'clinic',
  slug: 'demo',
  name: 'Lakeside Clinic',
  timeZone: 'Europe/Berlin',
  policy: { patientMayBook: true },
};
const ADA = { id: 'ada', displayName: 'Dr. Ada Lindqvist', speciality: 'Family medicine' };
const SLOTS = ['08:00', '08:30', '09:00'].map((time, place, all) => ({
  startsAt: `2026-11-24T${time}:00Z`,
  endsAt: `2026-11-24T${all[place + 1] ?? '09:30'}:00Z`,
}));

let server: FakeServer;

beforeEach(() => {
  vi.stubGlobal('scrollTo', () => undefined);
  server = installServer();
  serverClock.observe('2026-11-23T12:00:00Z');
  server.on('GET /v1/clinic', () => json(CLINIC));
  server.on('GET /v1/doctors', () => json({ doctors: [ADA] }));
  server.on('GET /v1/doctors/ada/slots', () => json({ slots: SLOTS, timeZone: 'Europe/Berlin' }));
  server.on('GET /v1/appointments', () => json({ appointments: [], nextCursor: '' }));
});

afterEach(() => {
  vi.unstubAllGlobals();
});

/** From the doctor to the look at all of it, by keyboard only. */
async function fillIn() {
  const user = userEvent.setup();
  await renderAs(PIA, <BookPage />, { at: '/book' });
  (await screen.findByRole('radio', { name: 'Dr. Ada Lindqvist' })).focus();
  await user.keyboard('[Space][Enter]');
  (await screen.findByRole('radio', { name: '09:30 AM' })).focus();
  await user.keyboard('[Space][Enter]');
  (await screen.findByRole('textbox')).focus();
  await user.keyboard('A cough');
  await user.tab();
  await user.keyboard('[Enter]');
  await screen.findByRole('heading', { name: 'Is everything right?' });
  return user;
}

const send = () => screen.getByRole('button', { name: 'Request this appointment' });

test('says what is missing', async () => {
  const user = userEvent.setup();
  await renderAs(PIA, <BookPage />, { at: '/book' });
  await user.click(await screen.findByRole('button', { name: 'Continue' }));
  expect(await screen.findByRole('alert')).toHaveProperty('textContent', 'Please choose a doctor.');
});

test('a slot that was just taken: others are offered, the reason is kept, the key is new', async () => {
  const sent: { key: string | null; body: unknown }[] = [];
  const booked = anAppointment({ status: 'REQUESTED', join: { decision: 'NOT_CONFIRMED' } });
  server.on('POST /v1/appointments', async (request) => {
    const body: unknown = await request.json();
    sent.push({ key: request.headers.get('Idempotency-Key'), body });
    return sent.length === 1 ? problem(409, 'slot-taken') : json(booked, 201);
  });
  const user = await fillIn();
  await user.click(send());
  expect(await screen.findByText('This time has just been taken')).toBeTruthy();
  await user.click(await screen.findByRole('button', { name: /10:00 AM$/ }));
  expect(screen.getByText('A cough')).toBeTruthy();
  await user.click(send());
  expect(await screen.findByText('We will tell you when the doctor confirms.')).toBeTruthy();
  expect(sent.map(({ body }) => body)).toEqual([
    { doctorId: 'ada', startsAt: '2026-11-24T08:30:00Z', reason: 'A cough' },
    { doctorId: 'ada', startsAt: '2026-11-24T09:00:00Z', reason: 'A cough' },
  ]);
  expect(sent[0]?.key).not.toBe(sent[1]?.key);
});

test('a time at which one has another appointment is said to be that', async () => {
  const mine = anAppointment({ startsAt: '2026-11-24T08:30:00Z', endsAt: '2026-11-24T09:00:00Z' });
  server.on('GET /v1/appointments', () => json({ appointments: [mine], nextCursor: '' }));
  server.on('POST /v1/appointments', () => problem(409, 'slot-taken'));
  const user = await fillIn();
  await user.click(send());
  expect(await screen.findByText('You have another appointment at this time')).toBeTruthy();
});

test('where patients may not book, that is said', async () => {
  server.on('GET /v1/clinic', () => json({ ...CLINIC, policy: { patientMayBook: false } }));
  await renderAs(PIA, <BookPage />, { at: '/book' });
  expect(await screen.findByText('Visits cannot be booked here')).toBeTruthy();
});
