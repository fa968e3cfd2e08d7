import { describe, expect, test, vi } from 'vitest';

import { checkConnection, httpForm, largestScript, type Means, type Report } from './connection';

/** A peer that finds these kinds of ways, then no more. */
function peerThatFinds(...kinds: string[]): RTCPeerConnection {
  const target = new EventTarget();
  const tell = (candidate: { type: string } | null) =>
    target.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate }));
  return Object.assign(target, {
    createDataChannel: vi.fn(),
    createOffer: () => Promise.resolve({}),
    setLocalDescription: () => {
      for (const type of kinds) tell({ type });
      tell(null);
      return Promise.resolve();
    },
    close: vi.fn(),
  }) as unknown as RTCPeerConnection;
}

const ASSET = { url: 'http://localhost/assets/app.js', wirePerByte: 0.25 };

/** A network whose answers take so long, on a clock of its own. */
function network(over: Partial<Means> = {}, tripMs = 30, bodyMs = 100) {
  let now = 0;
  const asked: string[] = [];
  const fetch = vi.fn((url: string | URL) => {
    asked.push(String(url));
    now += tripMs;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          now += bodyMs;
          controller.enqueue(new Uint8Array(400_000));
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    return Promise.resolve(new Response(body));
  });
  const means: Means = {
    fetch: fetch as unknown as Means['fetch'],
    media: () => Promise.resolve({ serverUrl: 'wss://video.example' }),
    peer: () => peerThatFinds('host'),
    asset: () => ASSET,
    saveData: () => false,
    now: () => now,
    ...over,
  };
  return { means, asked };
}

async function check(means: Means): Promise<{ last: Report; reports: Report[] }> {
  const reports: Report[] = [];
  await checkConnection(means, new AbortController().signal, (report) => reports.push(report));
  const last = reports.at(-1);
  if (!last) throw new Error('nothing was told');
  return { last, reports };
}

describe('checkConnection', () => {
  test('a good connection: every step done, the figures true', async () => {
    const { means, asked } = network();
    const { last, reports } = await check(means);
    expect(last.verdict).toBe('good');
    expect(Object.values(last.steps)).toEqual(['done', 'done', 'done', 'done']);
    // 400 kB of text are 100 kB on the wire, in 100 ms.
    expect(last.measures).toMatchObject({ roundTripMs: 30, jitterMs: 0, blocked: [] });
    expect(last.measures.megabitsPerSecond).toBeCloseTo(8, 1);
    expect(asked.filter((url) => url === '/healthz')).toHaveLength(6);
    expect(asked.at(-1)).toBe('https://video.example/');
    expect(reports[0]?.steps.clinic).toBe('running');
    expect(reports[0]?.verdict).toBeUndefined();
  });

  test('takes one megabyte at most', async () => {
    const { means, asked } = network();
    await check(means);
    expect(asked.filter((url) => url.includes('app.js'))).toHaveLength(10);
  });

  test('takes three seconds at most', async () => {
    const { means, asked } = network({}, 30, 2000);
    const { last } = await check(means);
    expect(asked.filter((url) => url.includes('app.js'))).toHaveLength(2);
    expect(last.measures.megabitsPerSecond).toBeCloseTo(0.4, 1);
    expect(last.verdict).toBe('poor');
  });

  test('an answer that comes late and all at once is no fast one', async () => {
    const { means } = network();
    const { fetch } = means;
    let late = 0;
    const held: Means = {
      ...means,
      now: () => means.now() + late,
      fetch: (url, init) => {
        if (typeof url === 'string' && url.includes('app.js')) late += 1000;
        return fetch(url, init);
      },
    };
    expect((await check(held)).last.measures.megabitsPerSecond).toBeLessThan(0.8);
  });

  test('downloads nothing where data are to be saved', async () => {
    const { means, asked } = network({ saveData: () => true });
    const { last } = await check(means);
    expect(last.steps.rate).toBe('skipped');
    expect(last.verdict).toBe('good');
    expect(asked.some((url) => url.includes('app.js'))).toBe(false);
  });

  test('no answer of the clinic: it is named, and what needs it is not tried', async () => {
    const { means } = network({ fetch: () => Promise.reject(new TypeError('no network')) });
    const { last } = await check(means);
    expect(last.verdict).toBe('blocked');
    expect(last.measures.blocked).toEqual(['clinic']);
    expect(last.steps).toMatchObject({ clinic: 'failed', rate: 'skipped', video: 'skipped' });
  });

  test('no video server, no WebRTC: both are named', async () => {
    const { means } = network({
      media: () => Promise.reject(new Error('unavailable')),
      peer: () => {
        throw new Error('switched off');
      },
    });
    const { last } = await check(means);
    expect(last.measures.blocked).toEqual(['video', 'browser']);
  });

  test('a browser that finds no way out of itself cannot make calls', async () => {
    const { means } = network({ peer: () => peerThatFinds() });
    expect((await check(means)).last.measures.blocked).toEqual(['browser']);
  });

  test('a check that was given up tells nothing more', async () => {
    const { means } = network();
    const end = new AbortController();
    const reports: Report[] = [];
    await checkConnection(means, end.signal, (report) => {
      reports.push(report);
      end.abort();
    });
    expect(reports).toHaveLength(1);
  });
});

test('the http form of an address', () => {
  expect(httpForm('ws://localhost:7880')).toBe('http://localhost:7880');
  expect(httpForm('wss://video.example/x')).toBe('https://video.example/x');
});

test('measures with the largest script of our own', () => {
  const entry = (name: string, encodedBodySize: number, decodedBodySize = 4 * encodedBodySize) =>
    ({ name, encodedBodySize, decodedBodySize }) as unknown as PerformanceEntry;
  const { origin } = location;
  expect(
    largestScript([
      entry(`${origin}/assets/small.js`, 1000),
      entry(`${origin}/assets/large.js`, 9000),
      entry(`${origin}/assets/cached.js`, 0, 99_000),
      entry(`${origin}/assets/style.css`, 99_000),
      entry('https://other.example/far.js', 99_000),
    ]),
  ).toEqual({ url: `${origin}/assets/large.js`, wirePerByte: 0.25 });
  expect(largestScript([])).toBeUndefined();
});
