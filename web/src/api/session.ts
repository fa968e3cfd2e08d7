import { Problem, Unreachable, problemOf } from './problem';
import { openChannel, inTurn } from './tabs';
import { type Fetch, send } from './transport';

/** What becomes of the session of this browser, by another tab or by itself. */
export type SessionChange =
  /** In another tab; perhaps as somebody else. */
  | { kind: 'logged-in'; personId: string }
  /** In another tab. */
  | { kind: 'logged-out' }
  /** It is over and could not be renewed, as this or another tab has found out. */
  | { kind: 'expired' };

type Message = SessionChange | { kind: 'renewed' };

const NAME = 'televisit.session';
/** A tab that waits so long for its turn behind others does not hold up its person any longer. */
const TURN_MS = 30_000;

export interface SessionKeeper {
  /** As fetch, but a session that has run out is renewed and the request sent once more. */
  fetch: Fetch;
  loggedIn(personId: string): void;
  loggedOut(): void;
}

export interface SessionKeeperOptions {
  fetch: Fetch;
  refreshUrl: string;
  onChange: (change: SessionChange) => void;
}

/**
 * Keeps the cookie session of this browser alive. An access cookie is good for minutes; when the
 * server does not take it any more, one request with the refresh cookie brings the next. All
 * requests of a tab wait for the same renewal, and tabs take turns, because a refresh token is good
 * for one use.
 */
export function createSessionKeeper(options: SessionKeeperOptions): SessionKeeper {
  /** Counts the cookies that this browser was given, as far as this tab knows. */
  let generation = 0;
  /** Counts log-ins and log-outs: a request of one person is never repeated as another. */
  let owners = 0;
  let over = false;
  let underWay: Promise<void> | undefined;

  const others = openChannel<Message>(NAME, (message) => {
    if (message.kind === 'renewed') {
      begin();
      return;
    }
    if (message.kind === 'expired' && over) return;
    if (message.kind !== 'expired') owners++;
    if (message.kind === 'logged-in') begin();
    else over = true;
    options.onChange(message);
  });

  function begin() {
    generation++;
    over = false;
  }

  function end() {
    if (over) return;
    over = true;
    others.post({ kind: 'expired' });
    options.onChange({ kind: 'expired' });
  }

  /** With no signal of a caller: what one gives up waiting for, others still need. */
  async function refresh(): Promise<void> {
    const response = await send(
      options.fetch,
      new Request(options.refreshUrl, {
        method: 'POST',
        credentials: 'same-origin',
        headers: { 'Content-Type': 'application/json' },
        body: '{}',
        // The next cookies arrive also when the page is left meanwhile.
        keepalive: true,
      }),
    );
    if (response.ok) {
      begin();
      others.post({ kind: 'renewed' });
    } else if (response.status === 401) {
      end();
    } else {
      throw await problemOf(response);
    }
  }

  async function renewInTurn(before: number): Promise<void> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), TURN_MS);
    try {
      await inTurn(NAME, patience.signal, async () => {
        clearTimeout(timer);
        // Another tab was faster.
        if (generation === before && !over) await refresh();
      });
    } catch (error) {
      if (error instanceof Problem || error instanceof Unreachable) throw error;
      throw new Unreachable('The session cannot be renewed now', { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  function renew(before: number): Promise<void> {
    underWay ??= renewInTurn(before).finally(() => {
      underWay = undefined;
    });
    return underWay;
  }

  return {
    fetch: async (request) => {
      const before = generation;
      const owner = owners;
      const again = request.clone();
      const response = await send(options.fetch, request);
      if (response.status !== 401) {
        over = false; // also when somebody logged in without this tab's knowing
        return response;
      }
      if (over || !(await asksForRenewal(response))) return response;
      if (generation === before) await renew(before);
      request.signal.throwIfAborted();
      if (generation === before || owner !== owners) return response;
      return send(options.fetch, again);
    },
    loggedIn: (personId) => {
      owners++;
      begin();
      others.post({ kind: 'logged-in', personId });
    },
    loggedOut: () => {
      owners++;
      over = true;
      others.post({ kind: 'logged-out' });
    },
  };
}

/** Wrong credentials are 401 as well, but no new cookie helps against them. */
async function asksForRenewal(response: Response): Promise<boolean> {
  const { slug } = await problemOf(response.clone());
  return slug === 'unauthenticated' || slug === 'session-expired';
}
