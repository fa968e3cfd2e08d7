import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { type Appointment, createServerClock, Problem, Unreachable } from '../api';
import { anAppointment } from '../testing/appointments';
import { type Freshness, keepFresh } from './freshness';

const OPENS = Date.parse('2026-11-24T13:30:00Z');
const CLOSES = Date.parse('2026-11-24T16:00:00Z');
const HOUR = 3_600_000;

/** The truth: the clinic's clock, the rule of the window, and a network of a certain slowness. */
function createServer(at: number, latency = 40) {
  const mono = performance.now();
  let offset = 0;
  let reachable = true;
  const server = {
    asked: 0,
    now: () => at + offset + performance.now() - mono,
    shift: (ms: number) => (offset += ms),
    reach: (is: boolean) => (reachable = is),
    tell(): Appointment {
      const now = server.now();
      const decision = now < OPENS ? 'TOO_EARLY' : now < CLOSES ? 'ALLOWED' : 'TOO_LATE';
      return anAppointment({ join: { decision, serverTime: new Date(now).toISOString() } });
    },
    async answer(): Promise<Appointment> {
      server.asked += 1;
      await new Promise((done) => setTimeout(done, latency));
      if (!reachable) throw new Unreachable('away');
      const told = server.tell();
      await new Promise((done) => setTimeout(done, latency));
      return told;
    },
  };
  return server;
}

let fresh: Freshness | undefined;

function watch(server: ReturnType<typeof createServer>, ask = () => server.answer()) {
  const clock = createServerClock();
  const seen = { decision: '', changedAt: 0, unsure: false };
  const take = (told: Appointment) => {
    clock.observe(told.join.serverTime);
    if (told.join.decision !== seen.decision) seen.changedAt = server.now();
    seen.decision = told.join.decision;
  };
  fresh = keepFresh({
    clock,
    ask: async () => {
      const told = await ask();
      take(told);
      return told;
    },
    onUnsure: (unsure) => (seen.unsure = unsure),
    random: () => 0.5,
  });
  const first = server.tell();
  take(first);
  fresh.update(first);
  return seen;
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function show(state: DocumentVisibilityState) {
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(state);
  document.dispatchEvent(new Event('visibilitychange'));
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  fresh?.stop();
  show('visible');
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('the button flips within a second of the true edge', () => {
  // The clock of the page's machine, against the clinic's.
  test.each([
    ['right', 0],
    ['three hours ahead', 3 * HOUR],
    ['three hours behind', -3 * HOUR],
    ['a year behind', -365 * 24 * HOUR],
  ])('with a client clock that is %s', async (_, wrong) => {
    for (const [edge, before, after] of [
      [OPENS, 'TOO_EARLY', 'ALLOWED'],
      [CLOSES, 'ALLOWED', 'TOO_LATE'],
    ] as const) {
      const start = edge - 10 * 60_000;
      vi.setSystemTime(start + wrong);
      const server = createServer(start);
      const seen = watch(server);
      await pass(10 * 60_000 - 1);
      expect(seen.decision).toBe(before);
      expect(server.asked).toBe(0);
      await pass(1_000);
      expect(seen.decision).toBe(after);
      expect(seen.changedAt).toBeGreaterThanOrEqual(edge);
      expect(server.asked).toBe(1);
      fresh?.stop();
    }
  });

  test('when the client clock is set during the visit', async () => {
    const server = createServer(OPENS - 10 * 60_000);
    const seen = watch(server);
    await pass(60_000);
    vi.setSystemTime(Date.now() + 5 * HOUR);
    await pass(9 * 60_000 - 1);
    expect(seen.decision).toBe('TOO_EARLY');
    await pass(1_000);
    expect(seen.decision).toBe('ALLOWED');
  });

  test('on a page that was left open for days', async () => {
    const server = createServer(OPENS - 48 * HOUR);
    const seen = watch(server);
    vi.advanceTimersByTime(48 * HOUR - 1);
    expect(seen.decision).toBe('TOO_EARLY');
    await pass(1_000);
    expect(seen.decision).toBe('ALLOWED');
  });
});

test('asks again, and less often, while the server still says that it is too early', async () => {
  const server = createServer(OPENS - 1_000);
  const late = anAppointment({
    join: { decision: 'TOO_EARLY', serverTime: '2026-11-24T13:30:00.500Z' },
  });
  let stubborn = true;
  const seen = watch(server, async () =>
    stubborn ? (server.asked++, Promise.resolve(late)) : server.answer(),
  );
  await pass(2_000);
  expect(server.asked).toBeGreaterThan(1);
  const soon = server.asked;
  await pass(60_000);
  expect(server.asked - soon).toBeLessThan(12);
  stubborn = false;
  await pass(20_000);
  expect(seen.decision).toBe('ALLOWED');
});

describe('when the server cannot be reached', () => {
  test('what was told last stays, and it is said; the answer comes when the way is back', async () => {
    const server = createServer(CLOSES - 60_000);
    const seen = watch(server);
    server.reach(false);
    await pass(60_000 + 30_000);
    expect(seen).toMatchObject({ decision: 'ALLOWED', unsure: true });
    const asked = server.asked;
    expect(asked).toBeLessThan(12);
    server.reach(true);
    window.dispatchEvent(new Event('online'));
    await pass(100);
    expect(server.asked).toBe(asked + 1);
    expect(seen).toMatchObject({ decision: 'TOO_LATE', unsure: false });
  });

  test('waits as long as it is asked to', async () => {
    const server = createServer(OPENS - 1_000);
    const busy = new Problem({
      type: '/problems/rate-limited',
      title: 'Too many requests',
      status: 429,
      retryAfterSeconds: 30,
    });
    let asked = 0;
    watch(server, () => (asked++, Promise.reject(busy)));
    await pass(30_000);
    expect(asked).toBe(1);
    await pass(10_000);
    expect(asked).toBe(2);
  });

  test('an appointment that is gone is not asked about for ever', async () => {
    const server = createServer(OPENS - 1_000);
    const gone = new Problem({ type: '/problems/not-found', title: 'Gone', status: 404 });
    let asked = 0;
    watch(server, () => (asked++, Promise.reject(gone)));
    await pass(10 * 60_000);
    expect(asked).toBe(1);
  });
});

describe('waking up', () => {
  test('after a sleep in which the steady clock stood still', async () => {
    const server = createServer(OPENS - HOUR);
    const seen = watch(server);
    await pass(10_000);
    server.shift(2 * HOUR);
    vi.setSystemTime(Date.now() + 2 * HOUR);
    await pass(5_200);
    expect(seen.decision).toBe('ALLOWED');
    // And what comes next is on time again.
    await pass(CLOSES - server.now() - 1);
    expect(seen.decision).toBe('ALLOWED');
    await pass(1_000);
    expect(seen.decision).toBe('TOO_LATE');
  });

  test('a hidden page asks nothing; shown again it asks at once', async () => {
    const server = createServer(OPENS - 60_000);
    const seen = watch(server);
    show('hidden');
    await pass(HOUR);
    expect(server.asked).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    show('visible');
    await pass(100);
    expect(server.asked).toBe(1);
    expect(seen.decision).toBe('ALLOWED');
  });

  test('appointments of other days are left alone', async () => {
    const server = createServer(OPENS - 72 * HOUR);
    vi.setSystemTime(OPENS - 72 * HOUR);
    watch(server);
    show('hidden');
    show('visible');
    await pass(1_000);
    expect(server.asked).toBe(0);
  });
});

test('an answer that is older than what is shown changes nothing', async () => {
  const server = createServer(OPENS - 60_000);
  const seen = watch(server);
  await pass(61_000);
  expect(seen.decision).toBe('ALLOWED');
  const asked = server.asked;
  fresh?.update(anAppointment({ join: { serverTime: '2026-11-24T13:29:00Z' } }));
  await pass(60_000);
  expect(server.asked).toBe(asked);
});
