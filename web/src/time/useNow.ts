import { useEffect, useState } from 'react';

import { serverClock } from '../app/services';
import { onWake, setAlarm } from './alarm';

/**
 * The time at the clinic, for words about it: read again when the words change. `nextIn` says in
 * how many milliseconds that is. A hidden page stands still and catches up when it is shown. What
 * was shown by a wrong clock of this machine is put right as soon as the clinic tells its time.
 */
export function useNow(nextIn: (now: number) => number): number {
  const [now, setNow] = useState(() => serverClock.now());
  useEffect(() => {
    const look = () => setNow(serverClock.now());
    const ends = [onWake(look), serverClock.onSet(look)];
    return () => ends.forEach((end) => end());
  }, []);
  const wait = nextIn(now);
  useEffect(() => {
    if (!Number.isFinite(wait)) return;
    return setAlarm(wait, () => setNow(serverClock.now()));
  }, [wait, now]);
  return now;
}
