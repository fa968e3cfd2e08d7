import type { Phase } from './phases';

/** How the call stands, in the words that its status line has (call.json, `status`). */
export type Status = 'connecting' | 'waiting' | 'alone' | 'connected' | 'reconnecting' | 'lost';

/** What is known beside the phase. */
export interface Around {
  /** How many are in the room now. */
  others: number;
  /** Somebody was there at some time. */
  met: boolean;
  /** The browser has a network, as far as it knows. LiveKit sees much later that there is none. */
  online: boolean;
}

export function statusOf(phase: Phase, { others, met, online }: Around): Status {
  if (phase.at === 'rejoining' || phase.at === 'asking') return 'lost';
  if (phase.at !== 'inCall') return 'connecting';
  if (phase.link === 'connecting') return phase.attempt > 0 ? 'lost' : 'connecting';
  if (phase.link === 'reconnecting' || !online) return 'reconnecting';
  if (others > 0) return 'connected';
  return met ? 'alone' : 'waiting';
}
