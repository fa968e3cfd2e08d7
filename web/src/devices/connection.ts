// Measures whether a call can work from here: the way to the clinic's server, how fast data come
// in, the way to the video server, and WebRTC in this browser. Each step is bounded in time. What
// it cannot see: the way up, and a network that swallows UDP (LiveKit then goes over TCP).

import { jitterOf, medianOf, type Measures, type Part, type Verdict, verdictOf } from './verdict';

export const STEPS = ['clinic', 'rate', 'video', 'browser'] as const;
export type Step = (typeof STEPS)[number];
export type StepState = 'waiting' | 'running' | 'done' | 'failed' | 'skipped';

export interface Report {
  steps: Record<Step, StepState>;
  measures: Measures;
  /** Once all steps are over. */
  verdict?: Verdict;
  /** Kinds of the ways that WebRTC found out of this device, such as host; never an address. */
  candidates: readonly string[];
}

/** What the check reaches for; tests bring their own. */
export interface Means {
  fetch: typeof globalThis.fetch;
  /** Address of the video server, from the clinic's. */
  media: () => Promise<{ serverUrl: string }>;
  peer: () => RTCPeerConnection;
  /** Something to fetch, and how many bytes on the wire one byte of it takes. */
  asset: () => Asset | undefined;
  saveData: () => boolean;
  now: () => number;
}

export interface Asset {
  url: string;
  wirePerByte: number;
}

const ROUND_TRIPS = 5;
const ROUND_TRIP_TIMEOUT_MS = 4000;
const RATE_BYTES = 1_000_000;
const RATE_MS = 3000;
const VIDEO_TIMEOUT_MS = 6000;
const CANDIDATE_TIMEOUT_MS = 5000;

export const NOT_STARTED: Report = {
  steps: { clinic: 'waiting', rate: 'waiting', video: 'waiting', browser: 'waiting' },
  measures: { blocked: [] },
  candidates: [],
};

/** Runs all steps, telling after each change; an aborted check tells nothing more. */
export async function checkConnection(
  means: Means,
  signal: AbortSignal,
  tell: (report: Report) => void,
): Promise<void> {
  let report = NOT_STARTED;
  function update(step: Step, state: StepState, more: Partial<Report> = {}) {
    if (signal.aborted) return;
    report = { ...report, ...more, steps: { ...report.steps, [step]: state } };
    tell(report);
  }
  const measured = (more: Partial<Measures>) => ({ measures: { ...report.measures, ...more } });
  const blocked = (part: Part) => measured({ blocked: [...report.measures.blocked, part] });

  update('clinic', 'running');
  const trips = await roundTrips(means, signal);
  if (trips) update('clinic', 'done', measured(trips));
  else update('clinic', 'failed', blocked('clinic'));

  const asset = means.asset();
  if (!trips || !asset || means.saveData()) {
    update('rate', 'skipped');
  } else {
    update('rate', 'running');
    const megabitsPerSecond = await rate(means, asset, trips.roundTripMs ?? 0, signal);
    const state = megabitsPerSecond === undefined ? 'skipped' : 'done';
    update('rate', state, measured({ megabitsPerSecond }));
  }

  update('video', 'running');
  if (!trips) update('video', 'skipped');
  else if (await videoAnswers(means, signal)) update('video', 'done');
  else update('video', 'failed', blocked('video'));

  update('browser', 'running');
  const candidates = await gather(means.peer, signal);
  if (candidates.length > 0) update('browser', 'done', { candidates });
  else update('browser', 'failed', blocked('browser'));

  if (!signal.aborted) tell({ ...report, verdict: verdictOf(report.measures) });
}

/** Aborted with the other, and after the time. AbortSignal.any is too young for older phones. */
function bounded(signal: AbortSignal, ms: number): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  setTimeout(abort, ms);
  return controller.signal;
}

/** Median and jitter of some round trips; undefined when there is no answer. */
async function roundTrips(means: Means, signal: AbortSignal) {
  const tookMs: number[] = [];
  try {
    // One before, which is not counted: it may have to open the connection.
    for (let i = 0; i <= ROUND_TRIPS; i += 1) {
      const from = means.now();
      const answer = await means.fetch('/healthz', {
        cache: 'no-store',
        credentials: 'omit',
        signal: bounded(signal, ROUND_TRIP_TIMEOUT_MS),
      });
      if (!answer.ok) return undefined;
      if (i > 0) tookMs.push(means.now() - from);
      await answer.body?.cancel();
    }
  } catch {
    return undefined;
  }
  return { roundTripMs: medianOf(tookMs), jitterMs: jitterOf(tookMs) };
}

/** Fetches the asset again and again until there is enough to judge by, in bytes or in time. */
async function rate(
  means: Means,
  { url, wirePerByte }: Asset,
  roundTripMs: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const until = bounded(signal, RATE_MS);
  const from = means.now();
  let bytes = 0;
  let waitedMs = 0;
  try {
    while (bytes < RATE_BYTES && means.now() - from < RATE_MS) {
      const asked = means.now();
      const before = bytes;
      // The question mark leads past caches that were filled for the app.
      const answer = await means.fetch(`${url}?check`, {
        cache: 'no-store',
        credentials: 'omit',
        signal: until,
      });
      const reader = answer.ok ? answer.body?.getReader() : undefined;
      if (!reader) return undefined;
      waitedMs += Math.min(roundTripMs, means.now() - asked);
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        bytes += part.value.byteLength * wirePerByte;
        if (bytes >= RATE_BYTES) await reader.cancel();
      }
      if (bytes === before) return undefined;
    }
  } catch {
    // The time was up in the middle: what came until then counts.
  }
  // A round trip for each question says nothing of the rate. A longer wait does: what came of the
  // answer meanwhile was kept back somewhere.
  const seconds = Math.max(1, means.now() - from - waitedMs) / 1000;
  return bytes > 0 ? (bytes * 8) / 1e6 / seconds : undefined;
}

async function videoAnswers(means: Means, signal: AbortSignal): Promise<boolean> {
  try {
    const { serverUrl } = await means.media();
    const answer = await means.fetch(new URL('/', httpForm(serverUrl)), {
      cache: 'no-store',
      credentials: 'omit',
      signal: bounded(signal, VIDEO_TIMEOUT_MS),
    });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

/** wss://video.example -> https://video.example */
export function httpForm(serverUrl: string): string {
  return serverUrl.replace(/^ws/, 'http');
}

/** Kinds of the candidates that come within the time; one is enough to go on. */
function gather(createPeer: Means['peer'], signal: AbortSignal): Promise<string[]> {
  return new Promise((resolve) => {
    let peer: RTCPeerConnection;
    try {
      peer = createPeer();
    } catch {
      resolve([]);
      return; // no WebRTC here, or switched off
    }
    const kinds = new Set<string>();
    const until = bounded(signal, CANDIDATE_TIMEOUT_MS);
    const end = () => {
      peer.close();
      resolve([...kinds]);
    };
    until.addEventListener('abort', end, { once: true });
    if (until.aborted) {
      end();
      return;
    }
    peer.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate?.type) kinds.add(candidate.type);
      // The last event has no candidate: that is all there is.
      if (!candidate) end();
    });
    peer.createDataChannel('check');
    peer
      .createOffer()
      .then((offer) => peer.setLocalDescription(offer))
      .catch(end);
  });
}

/** The largest script of this page: it is there on any deployment, and cacheable. */
export function largestScript(entries: readonly PerformanceEntry[]): Asset | undefined {
  const scripts = entries
    .filter((entry): entry is PerformanceResourceTiming => 'encodedBodySize' in entry)
    .filter(({ name }) => name.startsWith(location.origin) && name.endsWith('.js'))
    .filter(({ encodedBodySize, decodedBodySize }) => encodedBodySize > 0 && decodedBodySize > 0)
    .sort((a, b) => b.encodedBodySize - a.encodedBodySize);
  const largest = scripts[0];
  return (
    largest && {
      url: largest.name,
      wirePerByte: largest.encodedBodySize / largest.decodedBodySize,
    }
  );
}

/** The means of a browser. */
export function browserMeans(media: Means['media']): Means {
  return {
    fetch: (...request) => globalThis.fetch(...request),
    media,
    peer: () => new RTCPeerConnection(),
    asset: () => largestScript(performance.getEntriesByType('resource')),
    saveData: () => {
      const { connection } = navigator as { connection?: { saveData?: boolean } };
      return connection?.saveData === true;
    },
    now: () => performance.now(),
  };
}
