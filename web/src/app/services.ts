// The one client, clock and stream of this page. Screens get them by these names.

import { createClient, createNotices, createServerClock, type Notices } from '../api';

export const serverClock = createServerClock();

let sessionEnded: () => void = () => undefined;
/** What happens when the session is over and cannot be renewed (session.tsx). */
export function onSessionEnd(handler: () => void): void {
  sessionEnded = handler;
}

export const client = createClient({ clock: serverClock, onSessionEnd: () => sessionEnded() });

/** The stream of notices of who is logged in. */
export function openNotices(): Notices {
  return createNotices({
    url: '/v1/events',
    renew: () =>
      client.me().then(
        () => true,
        () => false,
      ),
  });
}
