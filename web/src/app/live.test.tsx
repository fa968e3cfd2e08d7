import { useQuery } from '@tanstack/react-query';
import { act, screen, waitFor } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { PIA, renderAs } from '../testing/render';
import { event, type FakeServer, installServer, json } from '../testing/server';
import { LiveProvider, useNotice, useNoticesState } from './live';
import { keys, queries } from './queries';
import { createQueryClient } from './query-client';

let server: FakeServer;
let version: number;

beforeEach(() => {
  server = installServer();
  version = 1;
  server.on('GET /v1/appointments/visit', () =>
    json({ id: 'visit', version, join: { serverTime: '2026-11-23T12:00:00Z' } }),
  );
  server.on('GET /v1/appointments', () => json({ appointments: [], nextCursor: '' }));
});

afterEach(() => vi.unstubAllGlobals());

function Screen() {
  const visit = useQuery(queries.appointment('visit'));
  useQuery(queries.appointments({}));
  const [heard, setHeard] = useState<string[]>([]);
  useNotice(({ type }) => setHeard((before) => [...before, type]), ['call.waiting']);
  return (
    <>
      <p>{`version ${visit.data?.version ?? 0}`}</p>
      <p>{`heard ${heard.join(' ')}`}</p>
      <p>{`stream ${useNoticesState()}`}</p>
    </>
  );
}

async function open() {
  const queryClient = createQueryClient();
  queryClient.setQueryData(keys.inbox, { entries: [], lastSeq: '6' });
  const view = await renderAs(
    PIA,
    <LiveProvider>
      <Screen />
    </LiveProvider>,
    { queryClient },
  );
  await screen.findByText('version 1');
  await screen.findByText('stream open');
  return view;
}

const send = (text: string) =>
  act(async () => {
    server.streams.at(-1)?.send(text);
    await Promise.resolve();
  });
const count = (asked: string) => server.asked.filter((one) => one.startsWith(asked)).length;

test('a notice makes what it is about be read again', async () => {
  await open();
  expect(server.streams[0]?.search).toBe('?after=6');
  version = 2;
  await send(event(7, 'appointment.moved'));
  expect(await screen.findByText('version 2')).toBeDefined();
});

test('so does a hint, and many at once are read for once', async () => {
  await open();
  const before = count('GET /v1/appointments/visit');
  version = 2;
  const hint = 'event: appointment.changed\ndata: {"appointmentId":"visit"}\n\n';
  await send(hint.repeat(20) + event(7) + event(8));
  expect(await screen.findByText('version 2')).toBeDefined();
  expect(count('GET /v1/appointments/visit')).toBe(before + 1);
});

test('a hint about another appointment leaves this one alone', async () => {
  await open();
  const lists = count('GET /v1/appointments?');
  await send('event: appointment.changed\ndata: {"appointmentId":"other"}\n\n');
  await waitFor(() => expect(count('GET /v1/appointments?')).toBe(lists + 1));
  expect(count('GET /v1/appointments/visit')).toBe(1);
});

test('a resync reads everything that is shown', async () => {
  await open();
  version = 3;
  await send('id: 9\nevent: resync\ndata: {}\n\n');
  expect(await screen.findByText('version 3')).toBeDefined();
});

test('when the stream is back after a break, everything is read again', async () => {
  await open();
  version = 4;
  act(() => server.streams[0]?.drop());
  await screen.findByText('stream lost');
  act(() => void window.dispatchEvent(new Event('online')));
  expect(await screen.findByText('version 4', {}, { timeout: 3_000 })).toBeDefined();
});

test('an answer that was on its way when the notice came is not believed', async () => {
  let answer: (response: Response) => void = () => undefined;
  const { queryClient } = await open();
  queryClient.removeQueries({ queryKey: keys.calls('visit') });
  server.on('GET /v1/appointments/visit/calls', () =>
    count('GET /v1/appointments/visit/calls') === 1
      ? new Promise((resolve) => (answer = resolve))
      : json({ calls: ['new'] }),
  );
  const first = queryClient.query(queries.calls('visit')).catch(() => undefined);
  await waitFor(() => expect(count('GET /v1/appointments/visit/calls')).toBe(1));
  await send(event(7, 'call.ended'));
  await waitFor(() => expect(count('GET /v1/appointments?')).toBe(2));
  answer(json({ calls: ['old'] }));
  await first;
  expect(queryClient.getQueryData(keys.calls('visit'))).toBeUndefined();
});

test('a screen hears the notices it asked for', async () => {
  await open();
  await send(event(7, 'call.ended') + event(8, 'call.waiting') + event(9, 'call.waiting'));
  expect(await screen.findByText('heard call.waiting call.waiting')).toBeDefined();
});

test('the stream ends with the session', async () => {
  const { unmount } = await open();
  unmount();
  await waitFor(() => expect(server.streams[0]?.open).toBe(false));
});
