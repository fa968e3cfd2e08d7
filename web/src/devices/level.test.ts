import { describe, expect, test } from 'vitest';

import { createListener, levelOf, loudnessOf } from './level';

/** A tone of that loudness below full scale. */
function tone(db: number): Float32Array {
  const top = Math.SQRT2 * 10 ** (db / 20);
  return Float32Array.from({ length: 2048 }, (_, i) => top * Math.sin((2 * Math.PI * i) / 64));
}

test.each([
  [-80, 'silent'],
  [-55, 'silent'],
  [-40, 'quiet'],
  [-25, 'good'],
  [-8, 'loud'],
])('%d dB is %s', (db, words) => {
  expect(loudnessOf(levelOf(tone(db)))).toBe(words);
});

test('the level stays between 0 and 1', () => {
  expect(levelOf(new Float32Array(2048))).toBe(0);
  expect(levelOf(new Float32Array(0))).toBe(0);
  expect(levelOf(new Float32Array(2048).fill(1))).toBe(1);
});

describe('a listener', () => {
  const STEP = 20;
  /** What it says after so long of one level, from a time on. */
  function listen(
    listener: ReturnType<typeof createListener>,
    level: number,
    ms: number,
    from = 0,
  ) {
    let said = listener.hear(level, from);
    for (let now = from; now <= from + ms; now += STEP) said = listener.hear(level, now);
    return said;
  }

  test('hears a voice, and has heard it from then on', () => {
    const listener = createListener();
    expect(listen(listener, 0.6, 400)).toBe('heard');
    expect(listen(listener, 0, 60_000, 420)).toBe('heard');
  });

  test('takes no knock for a voice', () => {
    const listener = createListener();
    listen(listener, 0.9, 100);
    expect(listen(listener, 0, 1000, 120)).toBe('listening');
  });

  test('says so after five seconds of nothing', () => {
    const listener = createListener();
    expect(listen(listener, 0.05, 4900)).toBe('listening');
    expect(listen(listener, 0.05, 200, 4920)).toBe('silent');
  });

  test('a page that slept has not listened', () => {
    const listener = createListener();
    listener.hear(0, 0);
    expect(listener.hear(0, 3_600_000)).toBe('listening');
  });
});
