import type { Client } from './client';
import type { StreamEvent } from './event-parser';
import { isProblem } from './problem';
import { openStream } from './stream';
import { canShare, openChannel } from './tabs';
import type { InboxEntry } from './types';

/** What somebody can be told. */
export const NOTICE_TYPES = [
  'appointment.requested',
  'appointment.confirmed',
  'appointment.declined',
  'appointment.moved',
  'appointment.cancelled',
  'appointment.completed',
  'appointment.no_show',
  'appointment.reminder',
  'call.available',
  'call.waiting',
  'call.started',
  'call.ended',
  'call.closing',
  'call.media_restored',
] as const;

/** One of these, or one that only a newer server knows. */
export type NoticeType = (typeof NOTICE_TYPES)[number] | (string & {});

/** An entry of the inbox as it came by the stream. */
export type Notice = Omit<InboxEntry, 'type'> & { type: NoticeType };

export type NoticesState = 'connecting' | 'open' | 'lost' | 'ended';

export interface NoticeHandlers {
  /** Each notice once, in order, in every tab. */
  onNotice?: (notice: Notice) => void;
  /** Something about this appointment is not as it was; nobody had to be told. */
  onChanged?: (appointmentId: string) => void;
  /** Notices may have been missed: what is shown should be asked for again. */
  onResync?: () => void;
  /** The way to the server: 'lost' while it is being looked for, 'ended' when the session is over. */
  onState?: (state: NoticesState) => void;
}

export interface Notices {
  /** Returns how to stop listening. `onState` is called at once with the state of now. */
  subscribe: (handlers: NoticeHandlers) => () => void;
  readonly state: NoticesState;
  close: () => void;
}

export interface NoticesOptions {
  /** Asked who is logged in when the stream is refused; so a session that ran out is renewed. */
  client: Pick<Client, 'me'>;
  /** Whose notices these are: tabs share a stream only with tabs of the same person. */
  personId: string;
  /** Goes on after this one (`lastSeq` of an inbox that was read); without it, from now on. */
  after?: string;
  /** Of GET /v1/events, if it is not the page's own origin's. */
  url?: string;
}

/** What the tab that reads the stream tells the others, and they ask it. */
type Message =
  | { kind: 'notices'; notices: Notice[] }
  | { kind: 'changed'; appointmentId: string }
  | { kind: 'resync'; seq: number | undefined }
  /** Also as a sign of life, and as the answer to a tab that is new. */
  | { kind: 'state'; state: NoticesState; seq: number | undefined }
  | { kind: 'hello'; seq: number | undefined };

/** So many notices are kept for a tab that is opened while another reads. */
const KEPT = 100;
/** The tab that reads the stream gives signs of life, at least once a minute where browsers slow
 *  down timers. One that is not heard for so long was frozen, and the lock is taken from it. */
const FROZEN_MS = 90_000;
const LIFE_MS = 10_000;

/**
 * The notices of one person, by one stream for all tabs of a browser: the tab that holds a lock
 * reads the stream and tells the rest; when it goes, the browser gives the lock to another, which
 * goes on after the last notice that it has seen. Each tab counts for itself what it was told, so
 * that nothing comes twice, and a gap is noticed, whoever told it.
 */
export function createNotices(options: NoticesOptions): Notices {
  const { personId } = options;
  const name = `televisit.notices.${personId}`;
  const all = new Set<NoticeHandlers>();
  const kept: Notice[] = [];
  /** Aborted when this tab does not want to lead any more, or wants it anew. */
  let seeking = new AbortController();
  let stopStream: () => void = () => undefined;
  let state: NoticesState = 'connecting';
  /** The last notice that this tab knows of. */
  let seq = options.after === undefined ? undefined : Number(options.after);
  let leads = false;
  let leaderHeardAt = Date.now();

  const others = openChannel<Message>(name, (message) => {
    if (message.kind === 'hello') {
      if (leads) welcome(message.seq);
      return;
    }
    // A tab that was frozen may still believe that it leads, and what it has is old.
    if (leads) return;
    leaderHeardAt = Date.now();
    take(message);
  });

  function emit(tell: (handlers: NoticeHandlers) => void) {
    for (const handlers of [...all]) if (all.has(handlers)) tell(handlers);
  }

  function setState(next: NoticesState) {
    if (next === state) return;
    state = next;
    emit((handlers) => handlers.onState?.(next));
  }

  function takeNotice(notice: Notice) {
    const next = Number(notice.seq);
    if (seq !== undefined && next <= seq) return;
    if (seq !== undefined && next > seq + 1) resync(next - 1);
    seq = next;
    kept.push(notice);
    if (kept.length > KEPT) kept.shift();
    emit((handlers) => handlers.onNotice?.(notice));
  }

  function resync(at: number | undefined) {
    seq = at;
    kept.length = 0;
    emit((handlers) => handlers.onResync?.());
  }

  /** What was told, by the stream or by the tab that reads it. */
  function take(message: Exclude<Message, { kind: 'hello' }>) {
    switch (message.kind) {
      case 'notices':
        message.notices.forEach(takeNotice);
        break;
      case 'changed':
        emit((handlers) => handlers.onChanged?.(message.appointmentId));
        break;
      case 'resync':
        resync(message.seq);
        break;
      case 'state':
        // The other tab knows of notices that were never told here, and told all that it keeps.
        if (message.seq !== undefined) {
          if (seq === undefined) seq = message.seq;
          else if (message.seq > seq) resync(message.seq);
        }
        setState(message.state);
    }
  }

  function tell(message: Exclude<Message, { kind: 'hello' }>) {
    take(message);
    others.post(message);
  }

  /** Brings a new tab to where this one is: first what it lacks, as far as it is kept. */
  function welcome(after: number | undefined) {
    const missing = kept.filter((notice) => after !== undefined && Number(notice.seq) > after);
    if (missing.length > 0) others.post({ kind: 'notices', notices: missing });
    others.post({ kind: 'state', state, seq });
  }

  function onEvent({ type, data, id }: StreamEvent) {
    const body = parsed(data);
    if (type === 'resync') tell({ kind: 'resync', seq: Number(id) });
    else if (type === 'appointment.changed') {
      if (body?.appointmentId) tell({ kind: 'changed', appointmentId: body.appointmentId });
    } else if (body?.seq !== id) {
      if (id !== '') tell({ kind: 'resync', seq: Number(id) });
    } else if (body.personId === personId) {
      tell({ kind: 'notices', notices: [body] });
    } else {
      // This browser is somebody else's by now.
      stopStream();
      tell({ kind: 'state', state: 'ended', seq });
    }
  }

  /** Reads the stream until `signal` says that this tab leads no more. */
  async function lead(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    leads = true;
    let openedUnplaced = false;
    const say = (next: NoticesState) => tell({ kind: 'state', state: next, seq });
    say('connecting');
    const stop = openStream({
      url: options.url ?? '/v1/events',
      position: () => seq,
      renew: () => isStill(options.client, personId),
      onOpen: () => {
        // Told nothing since the last time, it could not say after what to go on.
        if (openedUnplaced && seq === undefined) tell({ kind: 'resync', seq });
        openedUnplaced = seq === undefined;
        say('open');
      },
      onLost: () => say('lost'),
      onEnded: () => say('ended'),
      onEvent,
      onBeat: () => others.post({ kind: 'state', state, seq }),
    });
    stopStream = stop;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    leads = false;
    stop();
  }

  function seekLead(steal: boolean) {
    seeking.abort();
    seeking = new AbortController();
    const { signal } = seeking;
    leaderHeardAt = Date.now();
    navigator.locks
      .request(name, steal ? { steal } : { signal }, () => lead(signal))
      .catch(() => {
        // Not wanted any more, or else taken by a tab that heard nothing for long.
        if (!signal.aborted) seekLead(false);
      });
  }

  function showLife() {
    if (leads) others.post({ kind: 'state', state, seq });
    else if (document.visibilityState === 'visible' && Date.now() - leaderHeardAt > FROZEN_MS)
      seekLead(true);
  }

  let watch: ReturnType<typeof setInterval> | undefined;
  if (canShare()) {
    others.post({ kind: 'hello', seq });
    seekLead(false);
    watch = setInterval(showLife, LIFE_MS);
  } else {
    void lead(seeking.signal);
  }

  return {
    subscribe: (handlers) => {
      all.add(handlers);
      handlers.onState?.(state);
      return () => {
        all.delete(handlers);
      };
    },
    get state() {
      return state;
    },
    close: () => {
      all.clear();
      clearInterval(watch);
      others.close();
      seeking.abort();
    },
  };
}

function parsed(data: string): Notice | undefined {
  try {
    return JSON.parse(data) as Notice;
  } catch {
    return undefined;
  }
}

/** Whether the session is still this person's; fails when it cannot be found out now. */
async function isStill(client: Pick<Client, 'me'>, personId: string): Promise<boolean> {
  try {
    return (await client.me()).id === personId;
  } catch (error) {
    if (isProblem(error) && error.status === 401) return false;
    throw error;
  }
}
