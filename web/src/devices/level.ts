// How loud the microphone is, as a number for a bar and as a word for a person.

/** What counts as loudness at the two ends of the bar, in dB below full scale. */
const QUIETEST_DB = -60;
const LOUDEST_DB = -6;

/** 0 (nothing) to 1 (as loud as it gets): the root mean square of the samples, in decibels. */
export function levelOf(samples: Float32Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 10 * Math.log10(sum / samples.length); // -Infinity for digital silence
  return Math.min(1, Math.max(0, (db - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB)));
}

export type Loudness = 'silent' | 'quiet' | 'good' | 'loud';

/** Speech at an arm's length is about -40 to -15 dB; a quiet living room is below -50 dB. */
const SPEECH = 0.3;
const GOOD = 0.45;
const LOUD = 0.92;

export function loudnessOf(level: number): Loudness {
  if (level >= LOUD) return 'loud';
  if (level >= GOOD) return 'good';
  return level >= SPEECH ? 'quiet' : 'silent';
}

/** What we say of a microphone: still listening, a voice was there, or nothing for a while. */
export type Hearing = 'listening' | 'heard' | 'silent';

/** So much sound is a voice, and no click or knock. */
const VOICE_MS = 300;
/** After so long without one the person wants to know. */
const SILENCE_MS = 5000;
/** A page that was asleep counts as this much at most. */
const STEP_MS = 200;

export interface Listener {
  /** The level now; times are of one monotonic clock. */
  hear(level: number, nowMs: number): Hearing;
}

/** Judges one microphone. Once heard it stays heard: people stop talking. */
export function createListener(): Listener {
  let last: number | undefined;
  let voiceMs = 0;
  let silenceMs = 0;
  return {
    hear(level, nowMs) {
      const step = last === undefined ? 0 : Math.min(STEP_MS, nowMs - last);
      last = nowMs;
      if (level >= SPEECH) {
        voiceMs += step;
        silenceMs = 0;
      } else {
        silenceMs += step;
      }
      if (voiceMs >= VOICE_MS) return 'heard';
      return silenceMs >= SILENCE_MS ? 'silent' : 'listening';
    },
  };
}
