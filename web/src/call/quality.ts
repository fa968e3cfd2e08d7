// How much picture a person wants to send and to receive. Sound is never made worse: without
// picture it needs about 40 kbit/s.

/** Names of livekit-client's VideoQuality, so that this table needs none of it. */
export type PictureQuality = 'LOW' | 'MEDIUM' | 'HIGH';

export const QUALITIES = ['auto', 'high', 'standard', 'low', 'audio'] as const;
export type Quality = (typeof QUALITIES)[number];

export interface Sending {
  width: number;
  height: number;
  frameRate: number;
  /** bits per second of the largest layer */
  maxBitrate: number;
  /** Whether smaller layers go along, from which LiveKit takes what each receiver can bear. */
  simulcast: boolean;
}

export interface Preset {
  /** What the own camera gives; null: it stays off. */
  sending: Sending | null;
  /** The best that is asked of others; null: no picture. The size of its tile also limits it. */
  receiving: PictureQuality | null;
}

export const PRESETS: Record<Quality, Preset> = {
  auto: {
    sending: { width: 1280, height: 720, frameRate: 30, maxBitrate: 1_700_000, simulcast: true },
    receiving: 'HIGH',
  },
  high: {
    sending: { width: 1920, height: 1080, frameRate: 30, maxBitrate: 3_000_000, simulcast: true },
    receiving: 'HIGH',
  },
  standard: {
    sending: { width: 960, height: 540, frameRate: 24, maxBitrate: 800_000, simulcast: true },
    receiving: 'MEDIUM',
  },
  low: {
    sending: { width: 480, height: 270, frameRate: 15, maxBitrate: 200_000, simulcast: false },
    receiving: 'LOW',
  },
  audio: { sending: null, receiving: null },
};
