import { Unreachable } from './problem';

/** Longer than any deadline of the server: after it no answer will come. */
export const TIMEOUT_MS = 15_000;

export type Fetch = (request: Request) => Promise<Response>;

/**
 * Sends one request and reads its answer whole. Fails with Unreachable when none came in time, came
 * to its end, or was the server's at all (a hotel's log-in page is not); with the reason of the
 * request's own signal when the caller gave up.
 */
export async function send(fetch: Fetch, request: Request): Promise<Response> {
  const timeout = new AbortController();
  const giveUp = () => timeout.abort(request.signal.reason);
  request.signal.addEventListener('abort', giveUp);
  if (request.signal.aborted) giveUp();
  const timer = setTimeout(() => timeout.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(new Request(request, { signal: timeout.signal }));
    return await wholeAnswer(response);
  } catch (error) {
    if (request.signal.aborted) throw request.signal.reason;
    if (error instanceof Unreachable) throw error;
    throw new Unreachable('The server cannot be reached', { cause: error });
  } finally {
    clearTimeout(timer);
    request.signal.removeEventListener('abort', giveUp);
  }
}

async function wholeAnswer(response: Response): Promise<Response> {
  const { status, headers } = response;
  const body = await response.arrayBuffer();
  if (response.ok && body.byteLength > 0 && !isJson(headers))
    throw new Unreachable('Something between here and the server answered in its place');
  return new Response(body.byteLength > 0 ? body : null, { status, headers });
}

function isJson(headers: Headers): boolean {
  return /^application\/([\w.-]+\+)?json\b/i.test(headers.get('Content-Type') ?? '');
}
