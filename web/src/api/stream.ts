import { createEventParser, type StreamEvent } from './event-parser';

export interface StreamOptions {
  url: string;
  /** The number to go on after, as known at this moment. */
  position: () => number | undefined;
  /** Opens the session anew quietly. False: there is none; an error: it cannot be found out now. */
  renew: () => Promise<boolean>;
  onOpen: () => void;
  /** It broke and is being connected again, perhaps for long. */
  onLost: () => void;
  /** The session is over; nothing follows. */
  onEnded: () => void;
  onEvent: (event: StreamEvent) => void;
  /** The server was heard, be it only to say that it is there. */
  onBeat: () => void;
}

/** The server is heard at least every 15 s; after this time without it the connection is dead,
 *  whatever the browser thinks of it (a laptop that slept, a router that forgot). */
const SILENT_MS = 40_000;
/** A page that comes back to the front wants to know sooner. */
const DOUBT_MS = 20_000;
const CHECK_MS = 10_000;
/** A stream that held so long was no failure. */
const HELD_MS = 5_000;
const RETRY_MS = 2_000;
const RETRY_MAX_MS = 15_000;
/** From one attempt to the next, however often a page is shown and hidden. */
const PACE_MS = 1_000;

interface Ending {
  /** 'no-session': unauthenticated, or the stream said that the session ends. */
  kind: 'dropped' | 'no-session';
  /** Asked for by the server. */
  retryAfterMs?: number;
}

/**
 * Holds one event stream open: connects again when it ends, breaks or falls silent, each time after
 * the last event that arrived; with patience that grows, but at once when the network comes back or
 * the page is shown. Read by fetch and not by EventSource, which hides the status of a refusal and
 * the server's beats, and so knows neither an ended session nor a dead connection. Returns how to
 * close it.
 */
export function openStream(options: StreamOptions): () => void {
  const closing = new AbortController();
  const isClosed = () => closing.signal.aborted;
  let attempt = new AbortController();
  let startedAt = 0;
  let heardAt = 0;
  let openedAt: number | undefined;
  let retryMs = RETRY_MS;
  let hurried = false;
  let stopWaiting: (() => void) | undefined;

  function heard() {
    heardAt = Date.now();
    options.onBeat();
  }

  async function read(body: ReadableStream<Uint8Array>): Promise<Ending> {
    const ending: Ending = { kind: 'dropped' };
    const parse = createEventParser({
      onEvent: (event) => {
        if (event.type === 'session-end') ending.kind = 'no-session';
        else if (!isClosed()) options.onEvent(event);
      },
      onRetry: (ms) => {
        retryMs = Math.min(Math.max(ms, PACE_MS), RETRY_MAX_MS);
      },
    });
    const reader = body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return ending;
      heard();
      parse(decoder.decode(value, { stream: true }));
      if (ending.kind === 'no-session') return ending;
    }
  }

  /** One connection, from its start to its end. */
  async function connect(): Promise<Ending> {
    attempt = new AbortController();
    hurried = false;
    startedAt = heardAt = Date.now();
    openedAt = undefined;
    const position = options.position();
    const watch = setInterval(() => hurryIfSilent(SILENT_MS), CHECK_MS);
    try {
      const response = await globalThis.fetch(
        options.url + (position === undefined ? '' : `?after=${position}`),
        {
          headers: { Accept: 'text/event-stream' },
          credentials: 'same-origin',
          cache: 'no-store',
          signal: attempt.signal,
        },
      );
      if (response.status === 401) return { kind: 'no-session' };
      if (!response.ok || !response.body || !isEventStream(response)) {
        const retryAfterMs = Number(response.headers.get('Retry-After') ?? '') * 1000;
        return { kind: 'dropped', ...(retryAfterMs > 0 && { retryAfterMs }) };
      }
      openedAt = Date.now();
      heard();
      options.onOpen();
      return await read(response.body);
    } catch {
      return { kind: 'dropped' }; // no way to the server, cut on the way, or no event stream
    } finally {
      clearInterval(watch);
      attempt.abort(); // gives the connection back, also when there was more to read
    }
  }

  async function hasSession(): Promise<boolean | undefined> {
    try {
      return await options.renew();
    } catch {
      return undefined;
    }
  }

  function wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = () => {
        clearTimeout(timer);
        stopWaiting = undefined;
        resolve();
      };
      const timer = setTimeout(stop, ms);
      stopWaiting = stop;
    });
  }

  /** Not to be hurried. */
  async function atPace(): Promise<void> {
    const early = Math.min(startedAt + PACE_MS - Date.now(), PACE_MS);
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
  }

  async function run(): Promise<void> {
    let failures = 0;
    let wasRenewed = false;
    while (!isClosed()) {
      const { kind, retryAfterMs = 0 } = await connect();
      if (openedAt !== undefined && Date.now() - openedAt >= HELD_MS) failures = 0;
      const session = kind === 'no-session' && !isClosed() ? await hasSession() : undefined;
      if (isClosed()) return;
      if (session === false) {
        close();
        options.onEnded();
        return;
      }
      failures++;
      // With a new session at once, but only once: another refusal has another reason.
      const isNew = session === true && !wasRenewed;
      wasRenewed = kind === 'no-session';
      if (isNew) continue;
      options.onLost();
      const longer = Math.min(retryMs * 2 ** (failures - 1), RETRY_MAX_MS);
      const patience = Math.max(retryAfterMs, longer * (0.5 + Math.random() / 2));
      if (!hurried) await wait(patience);
      await atPace();
    }
  }

  function hurry() {
    hurried = true;
    attempt.abort();
    stopWaiting?.();
  }

  function hurryIfSilent(silentMs: number) {
    // A clock that was set back tells nothing.
    if (Date.now() - heardAt > silentMs) hurry();
  }

  function onShown() {
    if (document.visibilityState !== 'visible') return;
    if (stopWaiting) hurry();
    else hurryIfSilent(DOUBT_MS);
  }

  function close() {
    closing.abort();
    attempt.abort();
    stopWaiting?.();
  }

  const { signal } = closing;
  // A connection by the network of before does not say that it has died.
  window.addEventListener('online', hurry, { signal });
  window.addEventListener('pageshow', onShown, { signal });
  document.addEventListener('visibilitychange', onShown, { signal });
  void run();
  return close;
}

function isEventStream(response: Response): boolean {
  return (response.headers.get('Content-Type') ?? '').startsWith('text/event-stream');
}
