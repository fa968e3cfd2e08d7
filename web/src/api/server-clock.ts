/**
 * What time it is at the clinic, as far as this page can know: the newest time that the server has
 * told, moved on by a clock that cannot be set. For showing times and for asking again when
 * something should have changed; never for deciding whether a call is open: the server does.
 */
export interface ServerClock {
  /** Takes in a time that the server has just told (RFC 3339). */
  observe(serverTime: string): void;
  /** Milliseconds since 1970; before anything was told, by the clock of this machine. */
  now(): number;
  /** Calls `listener` when what was told is not what now() said till then; returns how to stop. */
  onSet(listener: () => void): () => void;
}

/** So far may an answer that was under way for a while differ from what is known. */
const SET_MS = 1000;

export function createServerClock(mono: () => number = () => performance.now()): ServerClock {
  let offset: number | undefined;
  const listeners = new Set<() => void>();
  const now = () => (offset === undefined ? Date.now() : mono() + offset);
  return {
    observe(serverTime) {
      const told = Date.parse(serverTime);
      if (!Number.isFinite(told)) return;
      const before = now();
      offset = told - mono();
      if (Math.abs(told - before) > SET_MS) for (const listener of [...listeners]) listener();
    },
    now,
    onSet(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
