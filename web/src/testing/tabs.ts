// Doubles of what connects the tabs of a browser, which jsdom lacks. Objects that use them in one
// test stand for as many tabs.

import { vi } from 'vitest';

class FakeChannel {
  static readonly open = new Set<FakeChannel>();
  onmessage: ((event: { data: unknown }) => void) | null = null;

  constructor(readonly name: string) {
    FakeChannel.open.add(this);
  }

  postMessage(data: unknown): void {
    const copy = structuredClone(data);
    for (const other of FakeChannel.open) {
      if (other === this || other.name !== this.name) continue;
      queueMicrotask(() => {
        if (FakeChannel.open.has(other)) other.onmessage?.({ data: copy });
      });
    }
  }

  close(): void {
    FakeChannel.open.delete(this);
  }
}

interface Held {
  steal: () => void;
}

interface Waiting {
  grant: () => void;
}

function createLocks() {
  const held = new Map<string, Held>();
  const waiting = new Map<string, Waiting[]>();

  function next(name: string) {
    held.delete(name);
    waiting.get(name)?.shift()?.grant();
  }

  function run<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const mine: Held = {
        steal: () => reject(new DOMException('The lock was stolen', 'AbortError')),
      };
      held.set(name, mine);
      void Promise.resolve()
        .then(work)
        .then(resolve, reject)
        .finally(() => {
          if (held.get(name) === mine) next(name);
        });
    });
  }

  return {
    request<T>(
      name: string,
      options: { steal?: boolean; signal?: AbortSignal },
      work: () => T | Promise<T>,
    ): Promise<T> {
      const holder = held.get(name);
      if (!holder || options.steal) {
        holder?.steal();
        return run(name, work);
      }
      return new Promise<T>((resolve, reject) => {
        const queue = waiting.get(name) ?? [];
        waiting.set(name, queue);
        const turn: Waiting = { grant: () => void run(name, work).then(resolve, reject) };
        queue.push(turn);
        options.signal?.addEventListener('abort', () => {
          const place = queue.indexOf(turn);
          if (place < 0) return;
          queue.splice(place, 1);
          reject(new DOMException('Not wanted any more', 'AbortError'));
        });
      });
    },
  };
}

/** Gives this test a browser whose tabs can share; until `vi.unstubAllGlobals()`. */
export function installTabs(): void {
  FakeChannel.open.clear();
  vi.stubGlobal('BroadcastChannel', FakeChannel);
  Object.defineProperty(navigator, 'locks', { value: createLocks(), configurable: true });
}

/** A browser without them. */
export function removeTabs(): void {
  vi.stubGlobal('BroadcastChannel', undefined);
  Object.defineProperty(navigator, 'locks', { value: undefined, configurable: true });
}
