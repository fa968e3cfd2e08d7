// What this person sends and how much they receive: microphone, camera, screen, devices, quality.
// Nothing that fails here ends the call; it is kept as a fault, to be shown with a way to try again.

import {
  type LocalParticipant,
  type LocalTrack,
  type Participant,
  type RemoteTrackPublication,
  type Room,
  RoomEvent,
  ScreenSharePresets,
  Track,
  type TrackPublication,
  VideoQuality,
} from 'livekit-client';

import type { DeviceChoice } from '../devices/choice';
import { type Fault, faultOf } from '../devices/faults';
import { PRESETS, type Quality } from './quality';

export type Sender = 'microphone' | 'camera' | 'screen';
export type MediaFault = Fault | 'notAllowed';

export interface MediaState {
  /** What is wanted; what is really sent, the room knows. */
  choice: DeviceChoice;
  quality: Quality;
  /** The screen is being shown to the others. */
  isSharing: boolean;
  faults: Partial<Record<Sender, MediaFault>>;
}

const FORBIDDEN = 403;

export class Media {
  #state: MediaState = {
    choice: { audio: true, video: true },
    quality: 'auto',
    isSharing: false,
    faults: {},
  };
  #room: Room | null = null;
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get state(): MediaState {
    return this.#state;
  }

  choose(choice: DeviceChoice): void {
    this.#set({ choice, faults: {} });
  }

  /** The room that was just entered; resolves when everything wanted is sent or has failed. */
  async enter(room: Room): Promise<void> {
    this.#room = room;
    this.#refuseLate(room);
    this.#follow(room);
    this.#receiveAll();
    const { audio, video, audioOutputId } = this.#state.choice;
    if (audioOutputId)
      void room.switchActiveDevice('audiooutput', audioOutputId).catch(() => undefined);
    await Promise.all([audio && this.setMicrophone(true), video && this.setCamera(true)]);
  }

  leave(): void {
    if (!this.#room) return;
    this.#room = null;
    this.#set({ isSharing: false, faults: {} });
  }

  /**
   * A device that comes when this call is over is let go at once: LiveKit's client would keep it
   * for a quarter of a minute, in the hope of a connection.
   */
  #refuseLate(room: Room): void {
    const me = room.localParticipant;
    const orRefuse = async (coming: Promise<LocalTrack[]>) => {
      const tracks = await coming;
      if (room === this.#room) return tracks;
      for (const track of tracks) track.stop();
      throw new DOMException('The call is over', 'AbortError');
    };
    const createTracks = me.createTracks.bind(me);
    const createScreenTracks = me.createScreenTracks.bind(me);
    me.createTracks = (options) => orRefuse(createTracks(options));
    me.createScreenTracks = (options) => orRefuse(createScreenTracks(options));
  }

  /** Others come with pictures; a device is unplugged; the browser's own bar ends the sharing. */
  #follow(room: Room): void {
    const muted = (on: boolean) => (publication: TrackPublication, participant: Participant) => {
      if (room !== this.#room || !participant.isLocal) return;
      if (publication.source === Track.Source.Microphone) this.#want({ audio: on });
      if (publication.source === Track.Source.Camera) this.#want({ video: on });
    };
    const shared = (on: boolean) => (publication: TrackPublication) => {
      if (publication.source === Track.Source.ScreenShare && room === this.#room)
        this.#set({ isSharing: on });
    };
    room
      .on(RoomEvent.TrackPublished, (publication) => this.#receive(publication))
      .on(RoomEvent.TrackSubscribed, (_, publication) => this.#receive(publication))
      .on(RoomEvent.TrackMuted, muted(false))
      .on(RoomEvent.TrackUnmuted, muted(true))
      .on(RoomEvent.LocalTrackPublished, shared(true))
      .on(RoomEvent.LocalTrackUnpublished, shared(false));
  }

  async setMicrophone(on: boolean): Promise<void> {
    this.#want({ audio: on });
    await this.#send('microphone', (me) =>
      me.setMicrophoneEnabled(on, { deviceId: this.#state.choice.audioInputId }),
    );
  }

  async setCamera(on: boolean): Promise<void> {
    // Whoever switches the camera on wants pictures again.
    if (on && this.#state.quality === 'audio') return this.setQuality('low', on);
    this.#want({ video: on });
    const { sending } = PRESETS[this.#state.quality];
    await this.#send('camera', (me) => this.#setCamera(me, on && sending !== null));
  }

  #setCamera(me: LocalParticipant, on: boolean): Promise<unknown> {
    const { sending } = PRESETS[this.#state.quality];
    if (!on || !sending) return me.setCameraEnabled(false);
    const { width, height, frameRate, maxBitrate, simulcast } = sending;
    return me.setCameraEnabled(
      true,
      { deviceId: this.#state.choice.videoInputId, resolution: { width, height, frameRate } },
      { simulcast, videoEncoding: { maxBitrate, maxFramerate: frameRate } },
    );
  }

  async setScreen(on: boolean): Promise<void> {
    await this.#send('screen', (me) =>
      me.setScreenShareEnabled(
        on,
        { audio: true, selfBrowserSurface: 'exclude', contentHint: 'detail' },
        { screenShareEncoding: ScreenSharePresets.h1080fps15.encoding },
      ),
    );
  }

  /** Another device from now on (undefined: the browser's); of an output it may not work. */
  async setDevice(kind: MediaDeviceKind, deviceId: string | undefined): Promise<void> {
    const member = { audioinput: 'audioInputId', videoinput: 'videoInputId' } as const;
    this.#want({ [kind === 'audiooutput' ? 'audioOutputId' : member[kind]]: deviceId });
    const sender = { audioinput: 'microphone', videoinput: 'camera' } as const;
    const change = () => this.#room?.switchActiveDevice(kind, deviceId ?? 'default');
    if (kind === 'audiooutput') await change()?.catch(() => undefined);
    else await this.#send(sender[kind], change);
  }

  /** Goes on without what did not come. */
  dismiss(sender: Sender): void {
    this.#set({ faults: { ...this.#state.faults, [sender]: undefined } });
    if (sender === 'microphone') this.#want({ audio: false });
    if (sender === 'camera') this.#want({ video: false });
  }

  async setQuality(quality: Quality, video = this.#state.choice.video): Promise<void> {
    this.#state = { ...this.#state, quality };
    this.#want({ video });
    this.#receiveAll();
    // Size and rate are settled when a track is published, so the camera begins anew.
    await this.#send('camera', async (me) => {
      const camera = me.getTrackPublication(Track.Source.Camera);
      if (camera?.track) await me.unpublishTrack(camera.track, true);
      await this.#setCamera(me, video);
    });
  }

  #receiveAll(): void {
    for (const participant of this.#room?.remoteParticipants.values() ?? [])
      for (const publication of participant.trackPublications.values()) this.#receive(publication);
  }

  #receive(publication: RemoteTrackPublication): void {
    if (publication.kind !== Track.Kind.Video) return;
    const { receiving } = PRESETS[this.#state.quality];
    if (publication.isDesired !== (receiving !== null))
      publication.setSubscribed(receiving !== null);
    // A shared screen has to be read; its size is limited by the tile alone.
    const best = publication.source === Track.Source.ScreenShare ? 'HIGH' : receiving;
    if (receiving && best) publication.setVideoQuality(VideoQuality[best]);
  }

  async #send(
    sender: Sender,
    act: (me: LocalParticipant) => Promise<unknown> | undefined,
  ): Promise<void> {
    const room = this.#room;
    if (!room) return;
    let fault: MediaFault | undefined;
    try {
      await act(room.localParticipant);
    } catch (error) {
      // Whoever closes the browser's choice of screens has changed their mind.
      fault = sender === 'screen' && isRefusal(error) ? undefined : mediaFaultOf(error);
    }
    if (room === this.#room) this.#set({ faults: { ...this.#state.faults, [sender]: fault } });
  }

  #want(part: Partial<DeviceChoice>): void {
    this.#set({ choice: { ...this.#state.choice, ...part } });
  }

  #set(part: Partial<MediaState>): void {
    this.#state = { ...this.#state, ...part };
    this.#onChange();
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'NotAllowedError';
}

/** Why something could not be sent: the clinic does not allow it, or the device did not come. */
export function mediaFaultOf(error: unknown): MediaFault {
  if ((error as { status?: unknown } | null)?.status === FORBIDDEN) return 'notAllowed';
  return faultOf(error);
}
