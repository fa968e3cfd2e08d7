import { act, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import i18next from 'i18next';
import { Route, Routes, useLocation } from 'react-router';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { Person } from '../api';
import { PIA, renderAt } from '../testing/render';
import { type FakeServer, installServer, json, problem } from '../testing/server';
import { keys } from './queries';
import { RequireSession, SessionProvider, useAuth, useSession } from './session';

const ERIK: Person = { ...PIA, id: 'erik', displayName: 'Dr. Erik Lindqvist', role: 'DOCTOR' };

let server: FakeServer;
let person: Person | null;

beforeEach(() => {
  localStorage.clear();
  server = installServer();
  person = PIA;
  server.on('GET /v1/me', () => (person ? json(person) : problem(401, 'unauthenticated')));
  server.on('POST /v1/session/refresh', () => problem(401, 'session-expired'));
  server.on('DELETE /v1/session', () => new Response(null, { status: 204 }));
  server.on('GET /v1/inbox', () =>
    person
      ? json({ entries: [], firstSeq: '1', lastSeq: '6', readSeq: '6' })
      : problem(401, 'unauthenticated'),
  );
});

afterEach(() => vi.unstubAllGlobals());

function Where() {
  const { pathname, search } = useLocation();
  return <p>{`at ${pathname}${search}`}</p>;
}

function Login() {
  const { logIn, status } = useAuth();
  return (
    <>
      <Where />
      <p>{`log in: ${status}`}</p>
      <button onClick={() => void logIn({ clinic: 'demo', email: 'pia@x.org', password: 'x' })}>
        go
      </button>
    </>
  );
}

function Inside() {
  const { person: who, viewer, logOut, reload } = useSession();
  return (
    <>
      <Where />
      <p>{`inside: ${who.displayName}, ${viewer.locale}, ${viewer.timeZone}`}</p>
      <button onClick={() => void logOut()}>log out</button>
      <button onClick={() => void reload()}>reload</button>
    </>
  );
}

function open(at = '/') {
  return renderAt(
    <SessionProvider>
      <Routes>
        <Route path="/login" element={<Login />} />
        <Route
          path="*"
          element={
            <RequireSession
              loading={<p>loading</p>}
              failed={(_, retry) => <button onClick={retry}>try again</button>}
            >
              <Inside />
            </RequireSession>
          }
        />
      </Routes>
    </SessionProvider>,
    { at },
  );
}

/** There was a session in this browser. */
const remember = () => localStorage.setItem('televisit.session', '1');

const press = (name: string) => userEvent.click(screen.getByRole('button', { name }));

test('a new visitor is sent to log in without a question to the server', async () => {
  await open('/appointments/7?tab=calls');
  expect(screen.getByText(/^at \/login\?next=/)).toBeDefined();
  expect(screen.getByText('at /login?next=%2Fappointments%2F7%3Ftab%3Dcalls')).toBeDefined();
  expect(server.asked).toEqual([]);
});

test('somebody who was here is inside at once', async () => {
  remember();
  const { queryClient } = await open('/book');
  expect(await screen.findByText('inside: Pia Sommer, en, Europe/Berlin')).toBeDefined();
  expect(screen.getByText('at /book')).toBeDefined();
  expect(queryClient.getQueryData(keys.inbox)).toMatchObject({ lastSeq: '6' });
});

test('a session that has ended by itself says so, and is not asked for the next time', async () => {
  remember();
  person = null;
  await open('/book');
  expect(await screen.findByText('at /login?next=%2Fbook&reason=expired')).toBeDefined();
  expect(localStorage.getItem('televisit.session')).toBeNull();
});

test('a session that ends while the app is open clears what was read', async () => {
  remember();
  const { queryClient } = await open('/book');
  await screen.findByText(/^inside/);
  queryClient.setQueryData(keys.appointment('visit'), { reason: 'knee' });
  person = null;
  await press('reload');
  expect(await screen.findByText('at /login?next=%2Fbook&reason=expired')).toBeDefined();
  expect(
    queryClient
      .getQueryCache()
      .getAll()
      .map(({ state }) => state.data),
  ).not.toContainEqual(expect.objectContaining({ reason: 'knee' }));
});

test('who logs in is inside, and out again when they want, with nothing left', async () => {
  server.on('POST /v1/session', () => json({ person: PIA }, 201));
  const { queryClient } = await open('/login');
  await press('go');
  await waitFor(() => expect(screen.getByText('log in: in')).toBeDefined());
  expect(localStorage.getItem('televisit.session')).not.toBeNull();
  expect(queryClient.getQueryData<Person>(keys.me)?.id).toBe('pia');
});

test('logging out leads to the way in, without a way back to the page', async () => {
  remember();
  const { queryClient } = await open('/book');
  await screen.findByText(/^inside/);
  await press('log out');
  expect(await screen.findByText('at /login')).toBeDefined();
  expect(localStorage.getItem('televisit.session')).toBeNull();
  expect(queryClient.getQueryData(keys.me)).toBeUndefined();
});

test('another person in the same browser starts from the front, and sees nothing old', async () => {
  remember();
  const { queryClient } = await open('/book');
  await screen.findByText(/^inside: Pia/);
  queryClient.setQueryData(keys.appointment('visit'), { reason: 'knee' });
  person = ERIK;
  await press('reload');
  expect(await screen.findByText(/^inside: Dr. Erik/)).toBeDefined();
  await waitFor(() => expect(screen.getByText('at /')).toBeDefined());
  expect(queryClient.getQueryData(keys.appointment('visit'))).toBeUndefined();
});

test('a server that is away is no reason to log in again', async () => {
  remember();
  server.on('GET /v1/me', () => problem(500, 'internal'));
  await open('/book');
  const again = await screen.findByRole('button', { name: 'try again' });
  server.on('GET /v1/me', () => json(PIA));
  await userEvent.click(again);
  expect(await screen.findByText(/^inside: Pia/)).toBeDefined();
});

test('the language of the person is spoken, their region decides how times are written', async () => {
  remember();
  person = { ...PIA, language: 'de-CH' };
  await open();
  expect(await screen.findByText('inside: Pia Sommer, de-CH, Europe/Berlin')).toBeDefined();
  expect(i18next.language).toBe('de');
  await act(() => i18next.changeLanguage('en'));
});

test('a zone that this browser does not know is not used', async () => {
  remember();
  person = { ...PIA, timeZone: 'Mars/Olympus' };
  await open();
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  expect(await screen.findByText(`inside: Pia Sommer, en, ${own}`)).toBeDefined();
});
