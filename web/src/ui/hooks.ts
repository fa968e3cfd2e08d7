// What the browser is like just now.

import { useSyncExternalStore } from 'react';

function follow(target: EventTarget, ...events: string[]) {
  return (changed: () => void) => {
    for (const event of events) target.addEventListener(event, changed);
    return () => {
      for (const event of events) target.removeEventListener(event, changed);
    };
  };
}

const followOnline = follow(window, 'online', 'offline');
const followVisible = follow(document, 'visibilitychange');

/** False when the browser knows that it has no network; true says little. */
export function useOnline(): boolean {
  return useSyncExternalStore(followOnline, () => navigator.onLine);
}

export function usePageVisible(): boolean {
  return useSyncExternalStore(followVisible, () => document.visibilityState === 'visible');
}

const CALM = '(prefers-reduced-motion: reduce)';

function followMotion(changed: () => void): () => void {
  const query = window.matchMedia(CALM);
  query.addEventListener('change', changed);
  return () => query.removeEventListener('change', changed);
}

export function useReducedMotion(): boolean {
  return useSyncExternalStore(followMotion, () => window.matchMedia(CALM).matches);
}
