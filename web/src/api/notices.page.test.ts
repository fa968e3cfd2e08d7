import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { event, type FakeServer, type FakeStream, installServer, problem } from '../testing/server';
import { installTabs, removeTabs } from '../testing/tabs';
import { createNotices, type Notices, type NoticesOptions, Problem, Unreachable } from '.';

let server: FakeServer;
let open: Notices[];
let me: () => Promise<{ id: string }>;

beforeEach(() => {
  vi.useFakeTimers();
  installTabs();
  server = installServer();
  open = [];
  me = () => Promise.resolve({ id: 'pia' });
});

afterEach(() => {
  for (const notices of open) notices.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** Lets everything happen that is due now. */
const settle = () => vi.advanceTimersByTimeAsync(0);

interface Tab {
  notices: Notices;
  /** What it was told, in order: "7", "changed visit", "resync", and its states. */
  told: string[];
  states: string[];
}

async function openTab(more: Partial<NoticesOptions> = {}): Promise<Tab> {
  const client = { me: () => me() } as NoticesOptions['client'];
  const notices = createNotices({ client, personId: 'pia', after: '6', ...more });
  open.push(notices);
  const told: string[] = [];
  const states: string[] = [];
  notices.subscribe({
    onNotice: ({ seq }) => told.push(seq),
    onChanged: (id) => told.push(`changed ${id}`),
    onResync: () => told.push('resync'),
    onState: (state) => states.push(state),
  });
  await settle();
  return { notices, told, states };
}

async function send(text: string): Promise<void> {
  stream().send(text);
  await settle();
}

function stream(): FakeStream {
  const newest = server.streams.at(-1);
  if (!newest) throw new Error('no stream was opened');
  return newest;
}

const searches = () => server.streams.map(({ search }) => search);

test('tells notices and hints as they come, from where the inbox ended', async () => {
  const tab = await openTab();
  expect(searches()).toEqual(['?after=6']);
  await send(event(7) + event(8));
  await send('event: appointment.changed\ndata: {"appointmentId":"visit"}\n\n');
  expect(tab.told).toEqual(['7', '8', 'changed visit']);
  expect(tab.states).toEqual(['connecting', 'open']);
});

test('a type that only a newer server knows is told as well', async () => {
  const tab = await openTab();
  await send(event(7, 'message.posted') + event(8));
  expect(tab.told).toEqual(['7', '8']);
});

test('three tabs read one stream', async () => {
  const tabs = [await openTab(), await openTab(), await openTab()];
  await send(event(7));
  await send('event: appointment.changed\ndata: {"appointmentId":"visit"}\n\n');
  expect(server.streams).toHaveLength(1);
  for (const tab of tabs) {
    expect(tab.told).toEqual(['7', 'changed visit']);
    expect(tab.notices.state).toBe('open');
  }
});

test('another tab takes over when the one that reads is closed, and misses nothing', async () => {
  const [one, two, three] = [await openTab(), await openTab(), await openTab()];
  await send(event(7));
  one.notices.close();
  await settle();
  expect(searches()).toEqual(['?after=6', '?after=7']);
  expect(server.streams[0]?.open).toBe(false);
  await send(event(7) + event(8));
  expect(one.told).toEqual(['7']);
  expect(two.told).toEqual(['7', '8']);
  expect(three.told).toEqual(['7', '8']);
  expect(two.states).not.toContain('lost');
});

test('a tab that is opened later gets what it lacks, and the state', async () => {
  await openTab();
  await send(event(7) + event(8));
  const late = await openTab({ after: '7' });
  await settle();
  expect(late.told).toEqual(['8']);
  expect(late.notices.state).toBe('open');
});

test('a tab that lacks more than is kept reads all again', async () => {
  await openTab({ after: '50' });
  await send(event(51));
  const late = await openTab({ after: '20' });
  await settle();
  await send(event(52));
  expect(late.told).toEqual(['resync', '51', '52']);
});

test('a tab that knows more than the one that reads is told nothing twice', async () => {
  await openTab();
  const newer = await openTab({ after: '8' });
  await send(event(7) + event(8) + event(9));
  expect(newer.told).toEqual(['9']);
});

test('doubled notices are told once, and a gap is told', async () => {
  const tab = await openTab();
  await send(event(7) + event(7) + event(9) + event(8));
  expect(tab.told).toEqual(['7', 'resync', '9']);
});

test('a resync of the server counts from its number, also backwards', async () => {
  const tabs = [await openTab(), await openTab()];
  await send('id: 2\nevent: resync\ndata: {}\n\n' + event(3));
  for (const tab of tabs) expect(tab.told).toEqual(['resync', '3']);
});

test('what cannot be read is read again', async () => {
  const tab = await openTab();
  await send('id: 7\nevent: call.waiting\ndata: {"seq":\n\n' + event(8));
  expect(tab.told).toEqual(['resync', '8']);
});

test('without a place to go on from, a break is a resync', async () => {
  const tab = await openTab({ after: undefined });
  stream().drop();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(searches()).toEqual(['', '']);
  expect(tab.told).toEqual(['resync']);
});

test('a stream that breaks is lost, and goes on after the last notice', async () => {
  const tab = await openTab();
  await send(event(7));
  stream().drop();
  await settle();
  expect(tab.notices.state).toBe('lost');
  await vi.advanceTimersByTimeAsync(3_000);
  expect(searches()).toEqual(['?after=6', '?after=7']);
  expect(tab.states).toEqual(['connecting', 'open', 'lost', 'open']);
});

test('a server that is away is asked less often, but not forgotten', async () => {
  server.on('GET /v1/events', () => problem(503, 'unavailable'));
  await openTab();
  const attempts = () => server.asked.length;
  await vi.advanceTimersByTimeAsync(60_000);
  const inTheFirstMinute = attempts();
  expect(inTheFirstMinute).toBeGreaterThan(3);
  expect(inTheFirstMinute).toBeLessThan(12);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(attempts() - inTheFirstMinute).toBeLessThan(17);
  expect(attempts() - inTheFirstMinute).toBeGreaterThan(6);
});

test('a refusal that says when to come back is heeded', async () => {
  server.on('GET /v1/events', () => {
    const refusal = problem(429, 'rate-limited');
    refusal.headers.set('Retry-After', '60');
    return refusal;
  });
  await openTab();
  await vi.advanceTimersByTimeAsync(59_000);
  expect(server.asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(server.asked).toHaveLength(2);
});

test('when the network comes back it connects at once', async () => {
  server.on('GET /v1/events', () => Promise.reject(new TypeError('Failed to fetch')));
  await openTab();
  await vi.advanceTimersByTimeAsync(60_000);
  const before = server.asked.length;
  window.dispatchEvent(new Event('online'));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(server.asked).toHaveLength(before + 1);
});

test('pages that are shown and hidden do not make it ask more than once a second', async () => {
  server.on('GET /v1/events', () => problem(503, 'unavailable'));
  await openTab();
  for (let i = 0; i < 50; i++) {
    document.dispatchEvent(new Event('visibilitychange'));
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(server.asked.length).toBeLessThanOrEqual(7);
});

test('a stream that falls silent is dead, one with beats is not', async () => {
  const tab = await openTab();
  for (let i = 0; i < 8; i++) {
    await vi.advanceTimersByTimeAsync(15_000);
    await send(': beat\n\n');
  }
  expect(server.streams).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(52_000);
  expect(searches()).toEqual(['?after=6', '?after=6']);
  expect(tab.notices.state).toBe('open');
});

test('when the session ends it is renewed, and the stream goes on at once', async () => {
  const tab = await openTab();
  await vi.advanceTimersByTimeAsync(14_000);
  await send(event(7) + 'event: session-end\ndata: {}\n\n');
  expect(searches()).toEqual(['?after=6', '?after=7']);
  expect(tab.states).toEqual(['connecting', 'open']);
});

test('when the session is over, the stream is', async () => {
  const tabs = [await openTab(), await openTab()];
  me = () =>
    Promise.reject(new Problem({ type: '/problems/unauthenticated', title: '', status: 401 }));
  await send('event: session-end\ndata: {}\n\n');
  await vi.advanceTimersByTimeAsync(120_000);
  expect(server.streams).toHaveLength(1);
  for (const tab of tabs) expect(tab.notices.state).toBe('ended');
});

test('a session that cannot be asked for now is not over', async () => {
  const tab = await openTab();
  me = () => Promise.reject(new Unreachable('away'));
  await send('event: session-end\ndata: {}\n\n');
  expect(tab.notices.state).toBe('lost');
  me = () => Promise.resolve({ id: 'pia' });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(tab.notices.state).toBe('open');
});

test('a session that is refused again and again is no storm', async () => {
  server.on('GET /v1/events', () => problem(401, 'unauthenticated'));
  await openTab();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.asked.length).toBeLessThan(12);
});

test('a session that ran out while the server was away is renewed without another wait', async () => {
  const answers = [503, 503, 503, 503, 401];
  server.on('GET /v1/events', () => problem(answers.shift() ?? 503, 'refused'));
  await openTab();
  while (answers.length > 0) await vi.advanceTimersByTimeAsync(100);
  await settle();
  expect(server.asked).toHaveLength(6);
});

test('notices of somebody else are not told, and end the stream', async () => {
  const tab = await openTab();
  await send(event(7, 'call.waiting', { personId: 'erik' }));
  expect(tab.told).toEqual([]);
  expect(tab.notices.state).toBe('ended');
  expect(stream().open).toBe(false);
});

test('tabs of different people do not share', async () => {
  const pia = await openTab();
  const erik = await openTab({ personId: 'erik' });
  expect(server.streams).toHaveLength(2);
  server.streams[0]?.send(event(7));
  await settle();
  expect(pia.told).toEqual(['7']);
  expect(erik.told).toEqual([]);
});

test('a tab that was frozen loses the stream to one that is looked at', async () => {
  const never = new Promise<never>(() => undefined);
  void navigator.locks.request('televisit.notices.pia', {}, () => never).catch(() => undefined);
  const tab = await openTab();
  await vi.advanceTimersByTimeAsync(80_000);
  expect(server.streams).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(25_000);
  await send(event(7));
  expect(tab.told).toEqual(['7']);
});

test('a tab that reads is not frozen because the server is away', async () => {
  server.on('GET /v1/events', () => problem(503, 'unavailable'));
  await openTab();
  await vi.advanceTimersByTimeAsync(600_000);
  const alone = server.asked.length;
  await openTab();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(server.asked.length - alone).toBeLessThan(alone * 1.5);
});

test('without locks and channels every tab has its own stream', async () => {
  removeTabs();
  const tabs = [await openTab(), await openTab()];
  expect(server.streams).toHaveLength(2);
  for (const opened of server.streams) opened.send(event(7));
  await settle();
  for (const tab of tabs) expect(tab.told).toEqual(['7']);
});

test('closing ends the stream, and nothing is told any more', async () => {
  const tab = await openTab();
  tab.notices.close();
  await settle();
  expect(stream().open).toBe(false);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(server.streams).toHaveLength(1);
  expect(tab.told).toEqual([]);
});
