import { VideoQuality } from 'livekit-client';
import { describe, expect, test } from 'vitest';

import { PRESETS, QUALITIES } from './quality';

describe('quality', () => {
  test('each has a preset', () => {
    expect(Object.keys(PRESETS).sort()).toEqual([...QUALITIES].sort());
  });

  test('from high to low, each sends less than the one before', () => {
    const bitrates = (['high', 'auto', 'standard', 'low'] as const).map(
      (name) => PRESETS[name].sending?.maxBitrate ?? 0,
    );
    expect(bitrates).toEqual([...bitrates].sort((a, b) => b - a));
    expect(new Set(bitrates).size).toBe(bitrates.length);
  });

  test('only sound means no picture in either direction', () => {
    expect(PRESETS.audio).toEqual({ sending: null, receiving: null });
  });

  test('the names of pictures are those of LiveKit', () => {
    for (const { receiving } of Object.values(PRESETS)) {
      if (receiving) expect(VideoQuality[receiving]).toBeTypeOf('number');
    }
  });

  test('a small picture has one layer: smaller ones would not be worth sending', () => {
    for (const { sending } of Object.values(PRESETS)) {
      if (sending) expect(sending.simulcast).toBe(sending.height > 360);
    }
  });
});
