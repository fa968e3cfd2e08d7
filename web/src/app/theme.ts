// Dark or light: as the device has it, or as the person wants it in this browser.

import { useSyncExternalStore } from 'react';

export const THEMES = ['device', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const STORED = 'televisit.theme';
const listeners = new Set<() => void>();

function chosen(): Theme {
  const stored = localStorage.getItem(STORED);
  return THEMES.find((theme) => theme === stored) ?? 'device';
}

function apply(): void {
  const theme = chosen();
  const dark =
    theme === 'dark' ||
    (theme === 'device' && window.matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  // The bars of the browser go with it.
  const ground = getComputedStyle(document.documentElement).getPropertyValue('--ground').trim();
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]'))
    if (ground) meta.content = ground;
}

/** Before the first paint, and whenever the device or another tab changes it. */
export function startTheme(): void {
  apply();
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
  window.addEventListener('storage', (event) => {
    if (event.key === STORED) changed();
  });
}

function changed(): void {
  apply();
  for (const listener of listeners) listener();
}

export function setTheme(theme: Theme): void {
  if (theme === 'device') localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, theme);
  changed();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, chosen);
}
