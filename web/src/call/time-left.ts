import { useEffect, useState } from 'react';

import { serverClock } from '../app/services';

const MINUTE_MS = 60_000;
/** From then on the time that is left is shown. */
const SHOWN_MINUTES = 10;

/** Minutes until the call closes, the begun one included; null: more than anybody needs to know. */
export function minutesLeft(closesAt: string, now: number): number | null {
  const minutes = Math.ceil((Date.parse(closesAt) - now) / MINUTE_MS);
  return minutes > SHOWN_MINUTES || Number.isNaN(minutes) ? null : Math.max(0, minutes);
}

/** How long until minutesLeft() says something else. */
export function untilNextMinute(closesAt: string, now: number): number {
  const left = Date.parse(closesAt) - now;
  const shown = SHOWN_MINUTES * MINUTE_MS;
  return left > shown ? left - shown : left % MINUTE_MS || MINUTE_MS;
}

/** By the clinic's clock, and only for showing: the clinic closes the call. */
export function useMinutesLeft(closesAt: string | null): number | null {
  const [minutes, setMinutes] = useState<number | null>(null);
  useEffect(() => {
    if (closesAt === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tick = () => {
      clearTimeout(timer);
      const now = serverClock.now();
      setMinutes(minutesLeft(closesAt, now));
      // A machine that slept wakes up late; it looks again at least once a minute.
      timer = setTimeout(tick, Math.min(MINUTE_MS, untilNextMinute(closesAt, now) + 1));
    };
    tick();
    const end = serverClock.onSet(tick);
    return () => {
      end();
      clearTimeout(timer);
    };
  }, [closesAt]);
  return closesAt === null ? null : minutes;
}
