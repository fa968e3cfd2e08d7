// Keeps one appointment's join decision fresh: the server is asked again at the instant at which
// it should say something else, and whenever this page may have missed something.

import { type Appointment, isProblem, type ServerClock } from '../api';
import { onWake, setAlarm } from '../time/alarm';
import { nextEdge } from './join';

/** Spreads the questions of all pages that wait for the same instant. */
const SPREAD_MS = 200;
/** While the server does not say what it should by now, or cannot be reached. */
const AGAIN_MIN_MS = 250;
const AGAIN_MAX_MS = 15_000;
/** On waking, only appointments are asked about whose edge may be this near. */
const NEAR_MS = 24 * 3_600_000;

export interface FreshnessOptions {
  /** Asks the server; whoever shows the appointment is told by update(). */
  ask: () => Promise<Appointment>;
  clock: ServerClock;
  /** Whether the last question found no answer, so that what is shown may be out of date. */
  onUnsure: (unsure: boolean) => void;
  random?: () => number;
}

export interface Freshness {
  /** The appointment as it is shown now. */
  update(appointment: Appointment): void;
  stop(): void;
}

/** An answer that asking again does not change: not logged in, no such appointment. */
const isFinal = (error: unknown) =>
  isProblem(error) && error.status >= 400 && error.status < 500 && error.status !== 429;

/** Whether the server said this after what is known, and not in the same answer. */
function isNews(told: Appointment, known: Appointment | undefined): boolean {
  return !known || Date.parse(told.join.serverTime) > Date.parse(known.join.serverTime);
}

export function keepFresh(options: FreshnessOptions): Freshness {
  const { ask, clock, onUnsure, random = Math.random } = options;
  let shown: Appointment | undefined;
  let tries = 0;
  let asking = false;
  let wishes = 0;
  let stopped = false;
  let cancelAlarm: () => void = () => undefined;

  /** A function, because it may become true while an answer is waited for. */
  const isStopped = () => stopped;

  function alarmIn(ms: number, ring: () => void): void {
    cancelAlarm();
    cancelAlarm = setAlarm(ms, ring);
  }

  function backOff(error?: unknown): number {
    const told = isProblem(error) ? (error.retryAfterSeconds ?? 0) * 1_000 : 0;
    const grown = Math.min(AGAIN_MIN_MS * 2 ** tries, AGAIN_MAX_MS);
    tries += 1;
    return Math.max(told, grown) * (1 + random() / 4);
  }

  /** Sets the alarm for the edge; when that is past and the server still says the old, soon. */
  function schedule(): void {
    cancelAlarm();
    const edge = shown && nextEdge(shown);
    if (isStopped() || typeof edge !== 'number') return;
    const left = edge - clock.now();
    if (left > 0) {
      tries = 0;
      alarmIn(left + random() * SPREAD_MS, askNow);
    } else alarmIn(tries === 0 ? random() * SPREAD_MS : backOff(), askNow);
  }

  function askNow(): void {
    wishes += 1;
    if (!asking) void carryOut();
  }

  async function carryOut(): Promise<void> {
    if (isStopped()) return;
    const wish = wishes;
    cancelAlarm();
    asking = true;
    try {
      const answer = await ask();
      if (isStopped()) return;
      if (isNews(answer, shown)) shown = answer;
      onUnsure(false);
      if (tries === 0) tries = 1; // asked once: from now on not at once again
      schedule();
    } catch (error) {
      if (isStopped() || isFinal(error)) return;
      onUnsure(true);
      alarmIn(backOff(error), askNow);
    } finally {
      asking = false;
      // Wanted while an answer was on its way, which may be from before.
      if (wishes !== wish) void carryOut();
    }
  }

  function onWoken(): void {
    const edge = shown && nextEdge(shown);
    if (typeof edge !== 'number') return;
    // The clock of this page may have stood still: the one on the wall may be nearer the truth.
    if (edge - Math.max(clock.now(), Date.now()) < NEAR_MS) askNow();
  }

  const stopWaking = onWake(onWoken);
  return {
    update(appointment) {
      if (!isNews(appointment, shown)) return;
      if (appointment.join.decision !== shown?.join.decision) tries = 0;
      shown = appointment;
      onUnsure(false);
      if (!asking) schedule();
    },
    stop() {
      stopped = true;
      cancelAlarm();
      stopWaking();
    },
  };
}
