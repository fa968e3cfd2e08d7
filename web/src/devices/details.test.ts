import { expect, test } from 'vitest';

import { NOT_STARTED } from './connection';
import { detailsOf } from './details';

const SIGNATURE = {
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0',
  maxTouchPoints: 0,
};

test('figures with their units, states in one word', () => {
  const details = detailsOf(
    {
      ...NOT_STARTED,
      verdict: 'blocked',
      measures: { roundTripMs: 31.4, megabitsPerSecond: 7.96, blocked: ['video'] },
      candidates: ['host'],
    },
    { audio: { status: 'unasked' }, video: { status: 'failed', fault: 'busy' } },
    SIGNATURE,
    new Date('2026-11-23T14:00:00Z'),
  );
  expect(details).toEqual({
    time: '2026-11-23T14:00:00.000Z',
    browser: 'firefox 132.0, other',
    verdict: 'blocked video',
    roundTrip: '31 ms',
    jitter: undefined,
    rate: '8.0 Mbit/s',
    video: 'waiting',
    webrtc: 'waiting host',
    camera: 'failed: busy',
    microphone: 'unasked',
  });
});
