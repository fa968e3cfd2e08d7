// Two soft tones for "somebody is waiting". Made by the browser, so there is no file to load. A
// browser lets a page sound only after its person has touched it; until then there is none.

const STORED = 'televisit.sounds';

/** Whether this browser should sound; it does unless somebody said no. */
export function soundsWanted(): boolean {
  return localStorage.getItem(STORED) !== 'off';
}

export function wantSounds(wanted: boolean): void {
  localStorage.setItem(STORED, wanted ? 'on' : 'off');
}

const TONES = [
  { hertz: 659, after: 0 },
  { hertz: 880, after: 0.22 },
];
const TONE_SECONDS = 0.7;
const LOUDNESS = 0.18;
/** So long other tabs of this browser keep quiet about the same. */
const HUSH_MS = 3_000;
const LOCK = 'televisit.chime';

let audio: AudioContext | undefined;

function awaken(): void {
  audio ??= new AudioContext();
  if (audio.state === 'suspended') void audio.resume();
}

/** From now on the first touch or key makes sounds possible. Returns how to stop waiting for it. */
export function awaitGesture(): () => void {
  if (typeof AudioContext === 'undefined') return () => undefined;
  if (navigator.userActivation.hasBeenActive) {
    awaken();
    return () => undefined;
  }
  const stop = () => {
    removeEventListener('pointerdown', onGesture, true);
    removeEventListener('keydown', onGesture, true);
  };
  const onGesture = () => {
    awaken();
    stop();
  };
  addEventListener('pointerdown', onGesture, true);
  addEventListener('keydown', onGesture, true);
  return stop;
}

function play(context: AudioContext): void {
  for (const { hertz, after } of TONES) {
    const begins = context.currentTime + after;
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0, begins);
    volume.gain.linearRampToValueAtTime(LOUDNESS, begins + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, begins + TONE_SECONDS);
    tone.connect(volume).connect(context.destination);
    tone.start(begins);
    tone.stop(begins + TONE_SECONDS);
  }
}

/** Sounds once, in one tab of this browser, if it may and if it is wanted. */
export async function chime(): Promise<void> {
  if (!soundsWanted() || audio?.state !== 'running') return;
  const context = audio;
  await navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    play(context);
    await new Promise((resolve) => setTimeout(resolve, HUSH_MS));
  });
}
