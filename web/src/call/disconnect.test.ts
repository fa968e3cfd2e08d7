import { DisconnectReason } from 'livekit-client';
import { describe, expect, test } from 'vitest';

import { afterLeave, type LeaveReason } from './disconnect';

const EXPECTED: Record<string, string> = {
  CLIENT_INITIATED: 'left',
  DUPLICATE_IDENTITY: 'moved',
  ROOM_DELETED: 'ask',
  ROOM_CLOSED: 'ask',
  PARTICIPANT_REMOVED: 'removed',
};

describe('what follows from being put out', () => {
  const names = Object.values(DisconnectReason).filter((name) => typeof name === 'string');

  test.each(names)('%s', (name) => {
    expect(afterLeave(name as LeaveReason)).toBe(EXPECTED[name] ?? 'rejoin');
  });

  test('a lost connection has no reason and is taken up again', () => {
    expect(afterLeave(undefined)).toBe('rejoin');
  });

  test('each expected reason is one that LiveKit has', () => {
    for (const name of Object.keys(EXPECTED)) expect(names).toContain(name);
  });
});
