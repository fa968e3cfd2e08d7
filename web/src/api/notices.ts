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

/** One of these, or one that only a newer server knows: the inbox may hold such. */
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
  /** Returns how to stop listening. */
  subscribe: (handlers: NoticeHandlers) => () => void;
  readonly state: NoticesState;
  close: () => void;
}

export interface NoticesOptions {
  /** Path or URL of GET /v1/events. */
  url: string;
  /** Whose notices these are: tabs share a stream only with tabs of the same person. */
  personId: string;
  /** Goes on after this one (`lastSeq` of an inbox that was read); without it, from now on. */
  after?: string;
  /** Opens a new session quietly; false: the person must log in. */
  renew: () => Promise<boolean>;
}

/** One stream for all tabs of a browser: the tab that holds the lock reads it and tells the rest. */
export function createNotices(options: NoticesOptions): Notices {
  let state: NoticesState = 'connecting';
  const all = new Set<NoticeHandlers>();
  const source = new EventSource(options.url);
  source.onopen = () => {
    state = 'open';
    for (const handlers of all) handlers.onState?.(state);
  };
  return {
    subscribe(handlers) {
      all.add(handlers);
      handlers.onState?.(state);
      return () => {
        all.delete(handlers);
      };
    },
    get state() {
      return state;
    },
    close: () => source.close(),
  };
}
