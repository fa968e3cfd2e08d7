// What it means that LiveKit has put this page out of the room, by the reason that it gave.

import type { DisconnectReason } from 'livekit-client';

/** Name of LiveKit's reason; undefined: nobody said one, the connection was lost. */
export type LeaveReason = keyof typeof DisconnectReason | undefined;

/**
 * - rejoin: nobody wanted this; come back by itself
 * - ask: the clinic knows why (ended, cancelled, time over)
 * - removed: somebody may have put this person out; the clinic knows whether the call goes on
 * - moved: the same person came in on another device; never fight for the place
 * - left: this page wanted it
 */
export type Consequence = 'rejoin' | 'ask' | 'removed' | 'moved' | 'left';

const CONSEQUENCES: Partial<Record<NonNullable<LeaveReason>, Consequence>> = {
  CLIENT_INITIATED: 'left',
  DUPLICATE_IDENTITY: 'moved',
  ROOM_DELETED: 'ask',
  ROOM_CLOSED: 'ask',
  PARTICIPANT_REMOVED: 'removed',
};

/** Whatever is not in the table (lost, shut down, timed out, unheard of) is worth another try. */
export function afterLeave(reason: LeaveReason): Consequence {
  return (reason && CONSEQUENCES[reason]) ?? 'rejoin';
}
