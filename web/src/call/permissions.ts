import type { Room } from 'livekit-client';

import type { Sender } from './media';

/** Of LiveKit's protocol (TrackSource); livekit-client does not hand the enum on. */
const SOURCES: Record<Sender, number> = { camera: 1, microphone: 2, screen: 3 };

/** What the clinic's ticket allows to send; an empty list allows everything. */
export function isAllowed(sender: Sender, allowed: readonly number[] | undefined): boolean {
  return !allowed || allowed.length === 0 || allowed.includes(SOURCES[sender]);
}

/** Whether the clinic lets this person send it, and this browser can. */
export function maySend(room: Room, sender: Sender): boolean {
  const { permissions } = room.localParticipant;
  if (permissions?.canPublish === false) return false;
  if (!isAllowed(sender, permissions?.canPublishSources)) return false;
  // The type says that it is always there; phones say otherwise.
  return sender !== 'screen' || 'getDisplayMedia' in navigator.mediaDevices;
}
