// A browser's cameras and microphones for tests: devices that come and go, a permission that
// changes, and every track that was given out.

import { vi } from 'vitest';

import type { InputKind } from './faults';

interface Device {
  kind: MediaDeviceKind;
  deviceId: string;
}

export const LAPTOP: readonly Device[] = [
  { kind: 'audioinput', deviceId: 'mic' },
  { kind: 'audioinput', deviceId: 'headset' },
  { kind: 'videoinput', deviceId: 'cam' },
];

class Track extends EventTarget {
  readyState: MediaStreamTrackState = 'live';
  muted = false;
  readonly id = crypto.randomUUID();

  constructor(
    readonly kind: InputKind,
    readonly deviceId: string,
  ) {
    super();
  }

  stop() {
    this.readyState = 'ended';
  }

  getSettings() {
    return { deviceId: this.deviceId };
  }
}

const error = (name: string, message = '') => new DOMException(message, name);
const NAME = { audio: 'microphone', video: 'camera' } as const;
const KINDS = ['audio', 'video'] as const;

export class MediaDouble extends EventTarget {
  devices: readonly Device[] = LAPTOP;
  permission: Record<InputKind, PermissionState> = { audio: 'granted', video: 'granted' };
  /** What the person answers when the browser asks. */
  answer: PermissionState = 'granted';
  /** Errors of a kind in place of a track. */
  broken: Partial<Record<InputKind, DOMException>> = {};
  readonly tracks: Track[] = [];
  readonly asked: MediaStreamConstraints[] = [];
  /** While set, getUserMedia waits for it. */
  gate: Promise<void> | undefined;
  readonly #statuses = new Map<InputKind, EventTarget & { state: PermissionState }>();

  /** Puts itself in the place of the browser's. */
  install(): this {
    const status = (kind: InputKind) => {
      const found =
        this.#statuses.get(kind) ?? Object.assign(new EventTarget(), { state: 'prompt' });
      this.#statuses.set(kind, found as EventTarget & { state: PermissionState });
      return Object.assign(found, { state: this.permission[kind] });
    };
    vi.stubGlobal('isSecureContext', true);
    Object.defineProperty(navigator, 'mediaDevices', { configurable: true, value: this });
    Object.defineProperty(navigator, 'permissions', {
      configurable: true,
      value: {
        query: ({ name }: { name: string }) =>
          Promise.resolve(status(name === NAME.audio ? 'audio' : 'video')),
      },
    });
    return this;
  }

  enumerateDevices = () =>
    Promise.resolve(
      this.devices.map((device) => ({
        ...device,
        label:
          this.permission[device.kind === 'videoinput' ? 'video' : 'audio'] === 'granted'
            ? `The ${device.deviceId}`
            : '',
      })),
    );

  getUserMedia = async (wish: MediaStreamConstraints) => {
    this.asked.push(wish);
    await this.gate;
    const kinds = KINDS.filter((kind) => wish[kind]);
    for (const kind of kinds) {
      if (!this.#find(kind, wish))
        throw error(idOf(kind, wish) ? 'OverconstrainedError' : 'NotFoundError');
      if (this.permission[kind] === 'prompt') this.permission[kind] = this.answer;
      if (this.permission[kind] !== 'granted') throw error('NotAllowedError', 'Permission denied');
      const broken = this.broken[kind];
      if (broken) throw broken;
    }
    const made = kinds.map((kind) => new Track(kind, this.#find(kind, wish) ?? ''));
    this.tracks.push(...made);
    return { getTracks: () => made };
  };

  #find(kind: InputKind, wish: MediaStreamConstraints): string | undefined {
    const id = idOf(kind, wish);
    return this.devices.find(
      (device) => device.kind === `${kind}input` && (id === undefined || device.deviceId === id),
    )?.deviceId;
  }

  change(devices: readonly Device[]) {
    this.devices = devices;
    this.dispatchEvent(new Event('devicechange'));
  }

  permit(state: PermissionState) {
    this.permission = { audio: state, video: state };
    for (const status of this.#statuses.values()) {
      status.state = state;
      status.dispatchEvent(new Event('change'));
    }
  }

  /** Kinds whose light is on. */
  get live(): InputKind[] {
    return this.tracks.filter(({ readyState }) => readyState === 'live').map(({ kind }) => kind);
  }
}

function idOf(kind: InputKind, wish: MediaStreamConstraints): string | undefined {
  const constraint = wish[kind];
  const id = typeof constraint === 'object' ? constraint.deviceId : undefined;
  return typeof id === 'object' && 'exact' in id ? String(id.exact) : undefined;
}
