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
}

export function createServerClock(mono: () => number = () => performance.now()): ServerClock {
  let offset: number | undefined;
  return {
    observe(serverTime) {
      const told = Date.parse(serverTime);
      if (Number.isFinite(told)) offset = told - mono();
    },
    now: () => (offset === undefined ? Date.now() : mono() + offset),
  };
}
