// What support wants to know of a check, without anything of the person: no names of devices
// ("Pia's headset"), no addresses, no ids.

import type { Report } from './connection';
import type { InputState } from './inputs';
import { browserOf, type Signature, systemOf } from './permission';

export const DETAILS = [
  'time',
  'browser',
  'verdict',
  'roundTrip',
  'jitter',
  'rate',
  'video',
  'webrtc',
  'camera',
  'microphone',
] as const;
export type Detail = (typeof DETAILS)[number];

/** Values in the words of the trade; undefined: not measured. */
export function detailsOf(
  { measures, steps, candidates, verdict }: Report,
  inputs: { audio: InputState; video: InputState },
  signature: Signature,
  now: Date,
): Record<Detail, string | undefined> {
  const { roundTripMs, jitterMs, megabitsPerSecond, blocked } = measures;
  return {
    time: now.toISOString(),
    browser: `${browserOf(signature)} ${versionOf(signature)}, ${systemOf(signature)}`,
    verdict: [verdict, ...blocked].join(' '),
    roundTrip: figure(roundTripMs, 'ms', 0),
    jitter: figure(jitterMs, 'ms', 0),
    rate: figure(megabitsPerSecond, 'Mbit/s', 1),
    video: steps.video,
    webrtc: [steps.browser, ...candidates].join(' '),
    camera: wordOf(inputs.video),
    microphone: wordOf(inputs.audio),
  };
}

function figure(value: number | undefined, unit: string, digits: number): string | undefined {
  return value === undefined ? undefined : `${value.toFixed(digits)} ${unit}`;
}

function wordOf(input: InputState): string {
  return input.status === 'failed' ? `failed: ${input.fault}` : input.status;
}

/** The most telling version number of the browser. */
function versionOf({ userAgent }: Signature): string {
  const found =
    /(?:Edg|EdgA|EdgiOS|CriOS|FxiOS|Firefox)\/([\d.]+)/.exec(userAgent) ??
    /(?:Chrome|Version)\/([\d.]+)/.exec(userAgent);
  return found?.[1] ?? '?';
}
