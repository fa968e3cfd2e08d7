// A double of the server at the edge that the app sees: fetch. It answers what a test says, and
// keeps what it was asked.

import { vi } from 'vitest';

import type { InboxEntry } from '../api';

type Answer = Response | Promise<Response>;
type Handler = (request: Request) => Answer;

export interface FakeServer {
  /** How requests with this method and path are answered, "GET /v1/me"; the newest rule counts. */
  on: (operation: string, handler: Handler) => void;
  /** What was asked so far, "GET /v1/me?x=1". */
  readonly asked: string[];
  /** The streams that were opened, the newest last. */
  readonly streams: FakeStream[];
}

export interface FakeStream {
  /** Query of its address, e.g. "?after=7". */
  readonly search: string;
  /** Whether the page still reads it. */
  readonly open: boolean;
  send: (text: string) => void;
  /** The connection breaks. */
  drop: () => void;
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json', ...headers },
  });
}

export function problem(
  status: number,
  slug: string,
  more: Record<string, unknown> = {},
): Response {
  const body = { type: `/problems/${slug}`, title: slug, status, ...more };
  return json(body, status, { 'Content-Type': 'application/problem+json' });
}

function createStream(request: Request): { stream: FakeStream; response: Response } {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let open = true;
  const body = new ReadableStream<Uint8Array>({
    start: (created) => {
      controller = created;
    },
    cancel: () => {
      open = false;
    },
  });
  const drop = () => {
    if (!open) return;
    open = false;
    controller?.error(new TypeError('network error'));
  };
  request.signal.addEventListener('abort', drop);
  const stream: FakeStream = {
    search: new URL(request.url).search,
    get open() {
      return open;
    },
    send: (text) => controller?.enqueue(encoder.encode(text)),
    drop,
  };
  const headers = { 'Content-Type': 'text/event-stream; charset=utf-8' };
  return { stream, response: new Response(body, { headers }) };
}

/** Answers all requests of this test; until `vi.unstubAllGlobals()`. */
export function installServer(): FakeServer {
  const handlers = new Map<string, Handler>();
  const asked: string[] = [];
  const streams: FakeStream[] = [];
  handlers.set('GET /v1/events', (request) => {
    const { stream, response } = createStream(request);
    streams.push(stream);
    return response;
  });
  vi.stubGlobal('fetch', async (input: Request | string, init?: RequestInit) => {
    const request =
      input instanceof Request ? input : new Request(new URL(input, location.origin), init);
    const { pathname, search } = new URL(request.url);
    asked.push(`${request.method} ${pathname}${search}`);
    const handler = handlers.get(`${request.method} ${pathname}`);
    if (!handler) return problem(404, 'not-found');
    return await Promise.race([handler(request), whenAborted(request.signal)]);
  });
  return { on: (operation, handler) => void handlers.set(operation, handler), asked, streams };
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(new DOMException('aborted', 'AbortError'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
  });
}

export function entry(seq: number, type: string, more: Partial<InboxEntry> = {}): InboxEntry {
  return {
    seq: String(seq),
    eventId: `event-${seq}`,
    type,
    clinicId: 'clinic',
    personId: 'pia',
    appointmentId: 'visit',
    appointmentVersion: '1',
    occurredAt: '2026-11-23T12:00:00Z',
    timeZone: 'Europe/Berlin',
    actorId: '',
    ...more,
  };
}

/** An entry as the stream has it. */
export function event(seq: number, type = 'call.waiting', more: Partial<InboxEntry> = {}): string {
  return `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify(entry(seq, type, more))}\n\n`;
}
