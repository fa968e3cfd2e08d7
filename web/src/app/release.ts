// What happens when a new release is out while the app is open: chunks of the old one are gone.

/** When the page was last loaded again for this reason, so that it is not done over and over. */
const STORED = 'televisit.reloaded';
const ONCE_IN_MS = 60_000;

let held = false;
let freed: (() => void)[] = [];

/** A page that is in a call is never loaded again by itself. */
export function holdReleases(hold: boolean): void {
  held = hold;
  if (held) return;
  const waiting = freed;
  freed = [];
  for (const listener of waiting) listener();
}

export function releasesHeld(): boolean {
  return held;
}

/** Once, when the call is over. */
export function onReleasesFreed(listener: () => void): void {
  freed.push(listener);
}

/** Loads the page again unless that was just tried or a call is on; false: it does not. */
export function reloadOnce(reload: () => void = () => window.location.reload()): boolean {
  const last = Number(sessionStorage.getItem(STORED));
  if (held || !navigator.onLine || Date.now() - last < ONCE_IN_MS) return false;
  sessionStorage.setItem(STORED, String(Date.now()));
  reload();
  return true;
}
