// The one client, clock and stream of this page. Screens get them by these names.

import {
  createClient,
  createNotices,
  createServerClock,
  type Notices,
  type SessionChange,
} from '../api';

export const serverClock = createServerClock();

const listeners = new Set<(change: SessionChange) => void>();

/** Learns of log-in and log-out in other tabs, and of a session that ended by itself. */
export function onSessionChange(listener: (change: SessionChange) => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

export const client = createClient({
  clock: serverClock,
  onSessionChange: (change) => listeners.forEach((listener) => listener(change)),
});

/** The stream of notices of who is logged in; `after` is the last one that is known already. */
export function openNotices(personId: string, after?: string): Notices {
  return createNotices({ client, personId, after });
}
