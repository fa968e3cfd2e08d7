// What one participant does: enter a room with camera and microphone, play what the other sends,
// tell how much of it was really decoded, and keep a diary of what happened and when. Driven from
// outside through window.visit.
/* global LivekitClient */

/** @type {any} */
let room = null;
let closedBecause = null;
/** Each with `at`, by the machine's clock in milliseconds, and `what` happened. */
const diary = [];

function note(what, more = {}) {
  diary.push({ at: Date.now(), what, ...more });
}

/** A refused token stands in the text of the refusal, where nobody may read it. */
function withoutTokens(text) {
  return String(text).replace(/[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/g, '(token)');
}

/** A room that is not entered yet; with a key, media are encrypted between the browsers. */
async function makeRoom(encryptionKey) {
  const options = { adaptiveStream: false, dynacast: false };
  if (encryptionKey) {
    const keyProvider = new LivekitClient.ExternalE2EEKeyProvider();
    await keyProvider.setKey(encryptionKey);
    options.encryption = { keyProvider, worker: new Worker('livekit-client.e2ee.worker.js') };
  }
  const made = new LivekitClient.Room(options);
  if (encryptionKey) await made.setE2EEEnabled(true);
  return made;
}

/**
 * LiveKit's client gives up for good when LiveKit is back before the room is. So the page asks the
 * clinic for another ticket, if it may, and goes in again.
 */
async function comeBack() {
  if (!window.renewTicket) return;
  try {
    await window.visit.join(await window.renewTicket());
  } catch (fault) {
    note('stays out', { reason: withoutTokens(fault.message) });
  }
}

/** Writes down what happens to a room. `sid` is of this stay in it: another one, another sid. */
function observe(made) {
  const { RoomEvent, DisconnectReason } = LivekitClient;
  const sid = () => ({ sid: made.localParticipant.sid });
  made.on(RoomEvent.Connected, () => note('connected', sid()));
  made.on(RoomEvent.SignalReconnecting, () => note('reconnecting', { signalOnly: true }));
  made.on(RoomEvent.Reconnecting, () => note('reconnecting'));
  made.on(RoomEvent.Reconnected, () => note('reconnected', sid()));
  made.on(RoomEvent.Disconnected, (reason) => {
    const isLost = reason === undefined; // nobody has said why
    closedBecause = isLost ? 'LOST' : DisconnectReason[reason];
    note('disconnected', { reason: closedBecause });
    if (isLost) comeBack();
  });
  made.on(RoomEvent.TrackSubscribed, (track) => {
    document.body.append(track.attach());
  });
}

window.visit = {
  /** Enters the room. */
  async join({ serverUrl, token, encryptionKey }) {
    const begin = performance.now();
    room = await makeRoom(encryptionKey);
    observe(room);
    try {
      await room.connect(serverUrl, token);
      await room.localParticipant.enableCameraAndMicrophone();
    } catch (fault) {
      throw new Error(withoutTokens(fault.message));
    }
    return { tookMs: Math.round(performance.now() - begin), name: room.name };
  },

  /** Tries to enter once more, as a browser would that kept its token; null when that succeeded. */
  async joinFails({ serverUrl, token }) {
    const other = await makeRoom('');
    try {
      await other.connect(serverUrl, token);
    } catch (fault) {
      return { status: fault.status ?? 0, reason: fault.reasonName ?? fault.name,
        message: withoutTokens(fault.message) };
    }
    await other.disconnect();
    return null;
  },

  /** What was received so far, by kind of track, summed over the others in the room. */
  async sample() {
    const seen = {
      others: [...room.remoteParticipants.values()].map((p) => p.identity),
      closedBecause,
      video: { framesDecoded: 0, bytes: 0, width: 0 },
      audio: { bytes: 0, energy: 0 },
    };
    for (const participant of room.remoteParticipants.values()) {
      for (const publication of participant.trackPublications.values()) {
        const receiver = publication.track?.receiver;
        if (!receiver) continue;
        for (const row of (await receiver.getStats()).values()) {
          if (row.type !== 'inbound-rtp') continue;
          if (row.kind === 'video') {
            seen.video.framesDecoded += row.framesDecoded ?? 0;
            seen.video.bytes += row.bytesReceived ?? 0;
            seen.video.width = row.frameWidth ?? 0;
          } else {
            seen.audio.bytes += row.bytesReceived ?? 0;
            seen.audio.energy += row.totalAudioEnergy ?? 0;
          }
        }
      }
    }
    return seen;
  },

  diary: () => diary,

  async leave() {
    note('leaving');
    await room?.disconnect();
  },
};
