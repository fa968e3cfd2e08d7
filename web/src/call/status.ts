import type { Phase } from './phases';

/** How the call stands, in the words that its status line has (call.json, `status`). */
export type Status = 'connecting' | 'waiting' | 'alone' | 'connected' | 'reconnecting' | 'lost';

/** `others` are in the room now; `met`: somebody was, at some time. */
export function statusOf(phase: Phase, others: number, met: boolean): Status {
  if (phase.at === 'rejoining' || phase.at === 'asking') return 'lost';
  if (phase.at !== 'inCall') return 'connecting';
  if (phase.link === 'reconnecting') return 'reconnecting';
  if (phase.link === 'connecting') return phase.attempt > 0 ? 'lost' : 'connecting';
  if (others > 0) return 'connected';
  return met ? 'alone' : 'waiting';
}
