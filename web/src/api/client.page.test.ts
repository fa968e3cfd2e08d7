import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { installServer, json, problem, type FakeServer } from '../testing/server';
import { installTabs, removeTabs } from '../testing/tabs';
import { createClient, createServerClock, isProblem, Unreachable } from '.';
import type { SessionChange } from './session';
import { TIMEOUT_MS } from './transport';

const ME = { id: 'pia', displayName: 'Pia Sommer' };

let server: FakeServer;
/** Whether the access cookie and the refresh cookie are still good. */
let cookie: { access: boolean; refresh: boolean };

beforeEach(() => {
  installTabs();
  server = installServer();
  cookie = { access: true, refresh: true };
  server.on('GET /v1/me', () => (cookie.access ? json(ME) : problem(401, 'unauthenticated')));
  server.on('POST /v1/session/refresh', () => {
    if (!cookie.refresh) return problem(401, 'session-expired');
    cookie.access = true;
    return json({ accessToken: '', refreshToken: '' });
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A tab of the browser, and what it was told of its session. */
function openTab() {
  const changes: SessionChange[] = [];
  const client = createClient({ onSessionChange: (change) => changes.push(change) });
  return { client, changes };
}

const count = (operation: string) => server.asked.filter((asked) => asked === operation).length;

const times = <T>(n: number, of: () => T): T[] => Array.from({ length: n }, of);

test('a session that has run out is renewed, and nobody notices', async () => {
  const { client, changes } = openTab();
  cookie.access = false;
  expect(await client.me()).toEqual(ME);
  expect(server.asked).toEqual(['GET /v1/me', 'POST /v1/session/refresh', 'GET /v1/me']);
  expect(changes).toEqual([]);
});

test('ten requests at once renew once', async () => {
  const { client } = openTab();
  cookie.access = false;
  await Promise.all(times(10, () => client.me()));
  expect(count('POST /v1/session/refresh')).toBe(1);
});

test('tabs take turns, and the second finds the session renewed', async () => {
  const tabs = times(3, openTab);
  cookie.access = false;
  await Promise.all(tabs.map(({ client }) => client.me()));
  expect(count('POST /v1/session/refresh')).toBe(1);
});

test('without locks and channels each tab renews for itself', async () => {
  removeTabs();
  const { client } = openTab();
  cookie.access = false;
  expect(await client.me()).toEqual(ME);
});

test('a refusal that was on its way while the session was renewed does not renew it again', async () => {
  const { client } = openTab();
  let refuse: (response: Response) => void = () => undefined;
  server.on('GET /v1/clinic', () =>
    count('GET /v1/clinic') === 1
      ? new Promise((resolve) => (refuse = resolve))
      : json({ name: 'Lakeside' }),
  );
  const slow = client.clinic();
  await vi.waitFor(() => expect(count('GET /v1/clinic')).toBe(1));
  cookie.access = false;
  await client.me();
  refuse(problem(401, 'unauthenticated'));
  expect(await slow).toEqual({ name: 'Lakeside' });
  expect(count('POST /v1/session/refresh')).toBe(1);
});

test('a session that is over is told once in every tab, and not asked for again', async () => {
  const [one, two] = [openTab(), openTab()];
  cookie = { access: false, refresh: false };
  const answers = await Promise.allSettled(times(10, () => one.client.me()));
  for (const answer of answers)
    expect(answer).toMatchObject({ status: 'rejected', reason: { slug: 'unauthenticated' } });
  await expect(two.client.me()).rejects.toMatchObject({ status: 401 });
  expect(count('POST /v1/session/refresh')).toBe(1);
  expect(one.changes).toEqual([{ kind: 'expired' }]);
  expect(two.changes).toEqual([{ kind: 'expired' }]);
});

test('a request is repeated once, however often it is refused', async () => {
  const { client, changes } = openTab();
  server.on('GET /v1/me', () => problem(401, 'unauthenticated'));
  await expect(client.me()).rejects.toMatchObject({ slug: 'unauthenticated' });
  expect(count('GET /v1/me')).toBe(2);
  expect(count('POST /v1/session/refresh')).toBe(1);
  expect(changes).toEqual([]);
});

test('a renewal that the server is too busy for ends no session', async () => {
  const { client, changes } = openTab();
  cookie.access = false;
  server.on('POST /v1/session/refresh', () =>
    problem(503, 'unavailable', { retryAfterSeconds: 2 }),
  );
  await expect(client.me()).rejects.toMatchObject({ status: 503, retryAfterSeconds: 2 });
  expect(changes).toEqual([]);
});

test('wrong credentials renew nothing', async () => {
  const { client } = openTab();
  server.on('POST /v1/session', () => problem(401, 'bad-credentials'));
  const wrong = { clinic: 'demo', email: 'pia@example.org', password: 'x' };
  await expect(client.logIn(wrong)).rejects.toMatchObject({ slug: 'bad-credentials' });
  expect(server.asked).toEqual(['POST /v1/session']);
});

test('log-in and log-out are told to the other tabs', async () => {
  const [one, two] = [openTab(), openTab()];
  server.on('POST /v1/session', () => json({ person: ME }, 201));
  server.on('DELETE /v1/session', () => new Response(null, { status: 204 }));
  await one.client.logIn({ clinic: 'demo', email: 'pia@example.org', password: 'x' });
  await one.client.logOut();
  await vi.waitFor(() =>
    expect(two.changes).toEqual([{ kind: 'logged-in', personId: 'pia' }, { kind: 'logged-out' }]),
  );
  expect(one.changes).toEqual([]);
});

test('logging out of a session that is over already is no error', async () => {
  const { client } = openTab();
  cookie = { access: false, refresh: false };
  server.on('DELETE /v1/session', () => problem(401, 'unauthenticated'));
  await expect(client.logOut()).resolves.toBeUndefined();
});

test('what one person asked is never repeated as another', async () => {
  const [one, two] = [openTab(), openTab()];
  server.on('POST /v1/session', () => json({ person: { ...ME, id: 'erik' } }, 201));
  let refuse: (response: Response) => void = () => undefined;
  server.on('POST /v1/inbox/read', () => new Promise((resolve) => (refuse = resolve)));
  const read = one.client.markRead('7');
  await vi.waitFor(() => expect(count('POST /v1/inbox/read')).toBe(1));
  await two.client.logIn({ clinic: 'demo', email: 'erik@example.org', password: 'x' });
  refuse(problem(401, 'unauthenticated'));
  await expect(read).rejects.toMatchObject({ status: 401 });
  expect(count('POST /v1/inbox/read')).toBe(1);
});

test('a booking that is repeated keeps its key and its body', async () => {
  const { client } = openTab();
  const booked: { key: string | null; body: unknown }[] = [];
  server.on('POST /v1/appointments', async (request) => {
    booked.push({ key: request.headers.get('Idempotency-Key'), body: await request.json() });
    return booked.length === 1 ? problem(401, 'session-expired') : json(appointment(), 201);
  });
  const request = { doctorId: 'erik', startsAt: '2026-11-23T13:00:00Z', reason: 'knee' };
  await client.book(request, 'key-1');
  expect(booked).toEqual(times(2, () => ({ key: 'key-1', body: request })));
});

function appointment(more = {}) {
  const join = { decision: 'ALLOWED', serverTime: '2026-11-23T12:00:00Z' };
  return { id: 'visit', version: 3, join, ...more };
}

test('a change names the version that was seen', async () => {
  const { client } = openTab();
  let ifMatch: string | null = '';
  server.on('POST /v1/appointments/visit/cancel', (request) => {
    ifMatch = request.headers.get('If-Match');
    return problem(412, 'stale');
  });
  const error = await client.cancel({ id: 'visit', version: 3 }, '').catch((e: unknown) => e);
  expect(isProblem(error, 'stale')).toBe(true);
  expect(ifMatch).toBe('"3"');
});

test('all pages of a list are read, and the clock learns from each answer', async () => {
  const clock = createServerClock(() => 0);
  const client = createClient({ clock });
  server.on('GET /v1/appointments', (request) =>
    request.url.includes('cursor=next')
      ? json({ appointments: [appointment({ id: 'b' })], nextCursor: '' })
      : json({ appointments: [appointment({ id: 'a' })], nextCursor: 'next' }),
  );
  const all = await client.appointments({});
  expect(all.map(({ id }) => id)).toEqual(['a', 'b']);
  expect(clock.now()).toBe(Date.parse('2026-11-23T12:00:00Z'));
});

test.each([
  [502, 'unavailable'],
  [503, 'unavailable'],
  [429, 'rate-limited'],
  [413, 'too-large'],
  [404, 'not-found'],
])('a proxy that answers %i in its own words is the problem %s', async (status, slug) => {
  const { client } = openTab();
  server.on(
    'GET /v1/clinic',
    () => new Response('<h1>nginx</h1>', { status, headers: { 'Retry-After': '3' } }),
  );
  const error = await client.clinic().catch((e: unknown) => e);
  expect(error).toMatchObject({ name: 'Problem', slug, status, retryAfterSeconds: 3 });
});

test("a hotel's log-in page is no answer of the server", async () => {
  const { client } = openTab();
  const headers = { 'Content-Type': 'text/html' };
  server.on('GET /v1/me', () => new Response('<h1>Wi-Fi</h1>', { headers }));
  await expect(client.me()).rejects.toBeInstanceOf(Unreachable);
});

test('no way to the server is Unreachable, also when the answer breaks off', async () => {
  const { client } = openTab();
  server.on('GET /v1/me', () => Promise.reject(new TypeError('Failed to fetch')));
  await expect(client.me()).rejects.toBeInstanceOf(Unreachable);
  const broken = new ReadableStream({ start: (c) => c.error(new TypeError('network error')) });
  server.on('GET /v1/me', () => new Response(broken));
  await expect(client.me()).rejects.toBeInstanceOf(Unreachable);
});

test('an answer that does not come in time is Unreachable', async () => {
  vi.useFakeTimers();
  const { client } = openTab();
  server.on('GET /v1/me', () => new Promise(() => undefined));
  const failed = expect(client.me()).rejects.toBeInstanceOf(Unreachable);
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
  await failed;
});

test('who gives up gets their own reason', async () => {
  const { client } = openTab();
  server.on('GET /v1/me', () => new Promise(() => undefined));
  const giveUp = new AbortController();
  const failed = expect(client.me(giveUp.signal)).rejects.toMatchObject({ name: 'AbortError' });
  giveUp.abort();
  await failed;
});

test('a renewal goes on when the one that needed it gives up', async () => {
  const { client } = openTab();
  cookie.access = false;
  let renew: () => void = () => undefined;
  server.on('POST /v1/session/refresh', () => {
    return new Promise((resolve) => {
      renew = () => {
        cookie.access = true;
        resolve(json({}));
      };
    });
  });
  const giveUp = new AbortController();
  const first = client.me(giveUp.signal).catch((e: unknown) => e);
  const second = client.me();
  await vi.waitFor(() => expect(count('POST /v1/session/refresh')).toBe(1));
  giveUp.abort();
  renew();
  expect(await second).toEqual(ME);
  expect(await first).toMatchObject({ name: 'AbortError' });
});
