// What one participant does: enter a room with camera and microphone, play what the other sends,
// and tell how much of it was really decoded. Driven from outside through window.visit.
/* global LivekitClient */

/** @type {any} */
let room = null;
let closedBecause = null;

window.visit = {
  /** Enters the room; with a key, media are encrypted between the browsers. */
  async join({ serverUrl, token, encryptionKey }) {
    const begin = performance.now();
    const options = { adaptiveStream: false, dynacast: false };
    if (encryptionKey) {
      const keyProvider = new LivekitClient.ExternalE2EEKeyProvider();
      await keyProvider.setKey(encryptionKey);
      options.encryption = { keyProvider, worker: new Worker('livekit-client.e2ee.worker.js') };
    }
    room = new LivekitClient.Room(options);
    room.on(LivekitClient.RoomEvent.TrackSubscribed, (track) => {
      document.body.append(track.attach());
    });
    room.on(LivekitClient.RoomEvent.Disconnected, (reason) => {
      closedBecause = LivekitClient.DisconnectReason[reason] ?? String(reason);
    });
    if (encryptionKey) await room.setE2EEEnabled(true);
    await room.connect(serverUrl, token);
    await room.localParticipant.enableCameraAndMicrophone();
    return { tookMs: Math.round(performance.now() - begin), name: room.name };
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

  async leave() {
    await room?.disconnect();
  },
};
