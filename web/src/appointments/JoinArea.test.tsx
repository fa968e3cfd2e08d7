import { QueryClient, useQuery } from '@tanstack/react-query';
import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { Appointment } from '../api';
import { keys } from '../app/queries';
import { serverClock } from '../app/services';
import { CallContext } from '../call/context';
import { anAppointment, DOCTOR, PATIENT } from '../testing/appointments';
import { PIA, renderAs } from '../testing/render';
import { type FakeServer, installServer, json } from '../testing/server';
import { AppointmentCard } from './AppointmentCard';

let server: FakeServer;

beforeEach(() => {
  server = installServer();
});

afterEach(() => {
  vi.unstubAllGlobals();
});

interface Shown {
  inCall?: boolean;
  open?: (id: string, as: 'patient' | 'doctor') => void;
}

function show(appointment: Appointment, { inCall = false, open = () => undefined }: Shown = {}) {
  serverClock.observe(appointment.join.serverTime);
  const queryClient = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity } } });
  queryClient.setQueryData(keys.appointment(appointment.id), appointment);
  function Card() {
    const { data } = useQuery<Appointment>({
      queryKey: keys.appointment(appointment.id),
      enabled: false,
    });
    return data && <AppointmentCard appointment={data} as="patient" />;
  }
  return renderAs(
    PIA,
    <CallContext value={{ appointmentId: null, inCall, open }}>
      <Card />
    </CallContext>,
    { queryClient },
  );
}

const button = () => screen.queryByRole('button', { name: 'Join Video Call' });

test.each([
  ['TOO_EARLY', { serverTime: '2026-11-24T11:25:00Z' }, 'Opens at 02:30 PM, in 2 hr 5 min'],
  ['TOO_EARLY', {}, 'Opens on Tuesday, November 24 at 02:30 PM'],
  ['NOT_CONFIRMED', {}, /can be joined once the appointment is confirmed/],
  ['TOO_LATE', {}, 'The call closed at 05:00 PM.'],
  ['WAITING', {}, /You are in the waiting room/],
] as const)('%s: no button, but why and when', async (decision, more, words) => {
  await show(anAppointment({ join: { decision, ...more } }));
  expect(await screen.findByText(words)).toBeTruthy();
  expect(button()).toBeNull();
});

test.each([
  ['CANCELLED', /was cancelled/],
  ['DECLINED', /was declined/],
  ['COMPLETED', 'The appointment is completed.'],
] as const)('over because it is %s', async (status, words) => {
  await show(anAppointment({ status, join: { decision: 'OVER' } }));
  expect(await screen.findByText(words)).toBeTruthy();
  expect(button()).toBeNull();
});

describe('open', () => {
  const open = anAppointment({
    participants: [PATIENT, { ...DOCTOR, inCallSince: '2026-11-24T13:45:00Z' }],
    join: { decision: 'ALLOWED', serverTime: '2026-11-24T13:50:00Z' },
  });

  test('the button leads into the call, and who waits is said', async () => {
    const control = vi.fn();
    await show(open, { open: control });
    expect(await screen.findByText('Dr. Ada Lindqvist is waiting for you.')).toBeTruthy();
    await userEvent.click(await screen.findByRole('button', { name: 'Join Video Call' }));
    expect(control).toHaveBeenCalledWith(open.id, 'patient');
  });

  test('in a call it does nothing and says why', async () => {
    const control = vi.fn();
    await show(open, { inCall: true, open: control });
    const disabled = await screen.findByRole('button', { name: 'Join Video Call' });
    expect(disabled.getAttribute('aria-disabled')).toBe('true');
    await userEvent.click(disabled);
    expect(control).not.toHaveBeenCalled();
    expect(screen.getByText('You are in another call. Leave it first.')).toBeTruthy();
  });
});

test('the button comes by itself when the server says so, and that is said aloud', async () => {
  const early = anAppointment({ join: { serverTime: '2026-11-24T13:29:59.700Z' } });
  const open = anAppointment({
    join: { decision: 'ALLOWED', serverTime: '2026-11-24T13:30:00.100Z' },
  });
  server.on(`GET /v1/appointments/${early.id}`, () => json(open));
  await show(early);
  expect(await screen.findByText(/^Opens at 02:30 PM/)).toBeTruthy();
  expect(button()).toBeNull();
  expect(await screen.findByRole('button', { name: 'Join Video Call' })).toBeTruthy();
  expect(server.asked).toEqual([`GET /v1/appointments/${early.id}`]);
  expect(
    await screen.findByText('The video call with Dr. Ada Lindqvist is open. You can join now.'),
  ).toBeTruthy();
});
