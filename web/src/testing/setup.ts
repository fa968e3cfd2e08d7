import { cleanup, configure } from '@testing-library/react';
import { afterEach } from 'vitest';

// What jsdom lacks: React Aria's dialogs escape ids, and a page scrolls to its top.
for (const place of [globalThis, window])
  if (!(place as Partial<typeof globalThis>).CSS)
    Object.defineProperty(place, 'CSS', { value: { escape: (name: string) => name } });
window.scrollTo = () => undefined;
// Nothing has a size there, so nothing changes its size.
const nothing = () => undefined;
window.ResizeObserver = class {
  observe = nothing;
  unobserve = nothing;
  disconnect = nothing;
};

// How long a condition may take to hold: far more than it needs on a machine that is busy.
configure({ asyncUtilTimeout: 15_000 });
afterEach(cleanup);
