// Things to do at a time. The whole page has one timer for them, and none while nobody looks at
// it. Time is counted by a clock that nobody can set; since that one may stand still while a
// machine sleeps, the timer also looks whether the clock on the wall went on without it.

interface Alarm {
  at: number;
  ring: () => void;
}

/** How long the timer sleeps at most: so soon a machine that woke up is noticed. */
const NAP_MS = 5_000;
/** By so much may the two clocks drift apart between two looks. */
const JUMP_MS = 2_000;

const alarms = new Set<Alarm>();
const wakers = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | undefined;
let lead = Date.now() - performance.now();

const shown = () => document.visibilityState !== 'hidden';

/** Whether the clock on the wall was set, or went on alone, since this was asked last. */
function jumped(): boolean {
  const before = lead;
  lead = Date.now() - performance.now();
  return Math.abs(lead - before) > JUMP_MS;
}

function arm(): void {
  clearTimeout(timer);
  timer = undefined;
  if (!shown() || (alarms.size === 0 && wakers.size === 0)) return;
  const next = Math.min(...[...alarms].map((alarm) => alarm.at - performance.now()), NAP_MS);
  timer = setTimeout(look, Math.max(0, Math.ceil(next)));
}

function look(): void {
  if (jumped()) wake();
  const now = performance.now();
  for (const alarm of [...alarms]) if (alarm.at <= now && alarms.delete(alarm)) alarm.ring();
  arm();
}

/** Whoever shows something looks whether it is still so; a hidden page does when it is shown. */
function wake(): void {
  if (!shown()) return;
  for (const waker of [...wakers]) waker();
}

function onVisibility(): void {
  if (!shown()) {
    arm();
    return;
  }
  jumped();
  wake();
  look();
}

/** A page that the browser had put away comes back as it was. */
function onPageShow(event: PageTransitionEvent): void {
  if (event.persisted) onVisibility();
}

function listen(): void {
  document.addEventListener('visibilitychange', onVisibility);
  window.addEventListener('pageshow', onPageShow);
  window.addEventListener('online', wake);
}

listen();

/**
 * Calls `ring` once, `inMs` from now; on a hidden page when it is looked at again. Returns how to
 * call it off.
 */
export function setAlarm(inMs: number, ring: () => void): () => void {
  const alarm = { at: performance.now() + inMs, ring };
  alarms.add(alarm);
  arm();
  return () => {
    if (alarms.delete(alarm)) arm();
  };
}

/**
 * Calls `waker` when what the page shows may have grown old behind its back: it is looked at
 * again, the network is back, the machine slept, or its clock was set. Returns how to stop.
 */
export function onWake(waker: () => void): () => void {
  if (wakers.size === 0) jumped();
  wakers.add(waker);
  arm();
  return () => {
    wakers.delete(waker);
    arm();
  };
}
