// The camera and the microphone of the check before a call: one small machine without React.
//
// A wanted input goes from `unasked` (the browser would ask: the person presses our button first)
// or straight from `starting` to `on` or `failed`. Each attempt has a number; what arrives for an
// older one is stopped at once, so that no light stays on whatever the order of answers is. Plain
// getUserMedia, and no call library: the check has to load fast, and to let go of everything.

import type { DeviceChoice } from './choice';
import { cannotAsk, type Fault, faultOf, type InputKind } from './faults';
import { refreshDevices } from './device-list';
import { permissionOf, type Permission, watchPermission } from './permission-state';

export type InputState =
  | { status: 'off' }
  | { status: 'unasked' }
  | { status: 'starting' }
  | { status: 'on'; track: MediaStreamTrack }
  /** Let go while the page is hidden or the call takes over. */
  | { status: 'paused' }
  | { status: 'failed'; fault: Fault };

export interface InputsState {
  choice: DeviceChoice;
  audio: InputState;
  video: InputState;
  /** Chosen devices that are gone; the browser's own choice took their place. */
  replaced: readonly MediaDeviceKind[];
}

export interface Inputs {
  subscribe: (listener: () => void) => () => void;
  snapshot: () => InputsState;
  /** Begins; what it returns ends, and lets go of everything. */
  open(): () => void;
  /** The person pressed "allow" or "try again": asks for all that is wanted and not on. */
  ask(): void;
  choose(patch: Partial<DeviceChoice>): void;
  /** Lets go of all devices until `release`: somebody else takes them over. */
  hold(): void;
  release(): void;
}

const KINDS = ['audio', 'video'] as const;
const ID = { audio: 'audioInputId', video: 'videoInputId' } as const;
const DEVICE = { audio: 'audioinput', video: 'videoinput' } as const;
/** Enough for a face; the call asks for its own size. */
const PICTURE = { width: { ideal: 1280 }, height: { ideal: 720 } };

export function createInputs(initial: DeviceChoice): Inputs {
  const listeners = new Set<() => void>();
  const attempt = { audio: 0, video: 0 };
  let held = false;
  let opened = false;
  let state: InputsState = {
    choice: initial,
    audio: { status: initial.audio ? 'paused' : 'off' },
    video: { status: initial.video ? 'paused' : 'off' },
    replaced: [],
  };

  function set(patch: Partial<InputsState>) {
    state = { ...state, ...patch };
    for (const listener of listeners) listener();
  }

  const mayRun = () => opened && !held && !document.hidden;

  /** Whatever runs for this kind is over; it is now `next`. */
  function become(kind: InputKind, next: InputState) {
    attempt[kind] += 1;
    const was = state[kind];
    if (was.status === 'on') was.track.stop();
    set({ [kind]: next });
  }

  function forgetDevice(kind: MediaDeviceKind, id: keyof DeviceChoice) {
    const choice = { ...state.choice, [id]: undefined };
    set({ choice, replaced: [...state.replaced.filter((other) => other !== kind), kind] });
  }

  function constraint(kind: InputKind): MediaTrackConstraints {
    const id = state.choice[ID[kind]];
    const size = kind === 'video' ? PICTURE : {};
    if (id !== undefined) return { ...size, deviceId: { exact: id } };
    return kind === 'video' ? { ...size, facingMode: 'user' } : {};
  }

  /** Asks the browser; together, so that it asks the person once. */
  async function start(kinds: readonly InputKind[]): Promise<void> {
    if (kinds.length === 0) return;
    const impossible = cannotAsk();
    for (const kind of kinds)
      become(kind, impossible ? { status: 'failed', fault: impossible } : { status: 'starting' });
    if (impossible) return;
    const mine = { ...attempt };
    const current = (kind: InputKind) => attempt[kind] === mine[kind];
    const wish: MediaStreamConstraints = {};
    for (const kind of kinds) wish[kind] = constraint(kind);
    try {
      const stream = await navigator.mediaDevices.getUserMedia(wish);
      for (const track of stream.getTracks()) {
        const kind = track.kind as InputKind;
        if (!current(kind)) track.stop();
        else arrive(kind, track);
      }
    } catch (error) {
      await fail(kinds.filter(current), error, kinds.length > 1);
    }
  }

  function arrive(kind: InputKind, track: MediaStreamTrack) {
    become(kind, { status: 'on', track });
    void refreshDevices(); // names are known now
    // Not when we stop it ourselves: the device went, or the permission did.
    track.addEventListener('ended', () => {
      const now = state[kind];
      if (now.status === 'on' && now.track === track) void reopen(kind);
    });
  }

  async function fail(kinds: readonly InputKind[], error: unknown, together: boolean) {
    const fault = faultOf(error);
    const before = { ...attempt };
    for (const kind of kinds) {
      const alone = together && (await mayTryAlone(kind, fault));
      if (attempt[kind] !== before[kind]) continue; // overtaken while we asked
      if (alone) {
        await start([kind]);
      } else if (goneDevice(kind, fault)) {
        forgetDevice(DEVICE[kind], ID[kind]);
        await start([kind]);
      } else {
        become(kind, { status: 'failed', fault });
      }
    }
  }

  /** A refusal of both is for both, unless the browser says that this one is allowed. */
  async function mayTryAlone(kind: InputKind, fault: Fault): Promise<boolean> {
    if (fault !== 'denied' && fault !== 'dismissed') return true;
    return (await permissionOf(kind)) === 'granted';
  }

  const goneDevice = (kind: InputKind, fault: Fault) =>
    state.choice[ID[kind]] !== undefined && (fault === 'unsuitable' || fault === 'missing');

  /** Starts what needs no question to the person, and shows what the others need. */
  async function begin(kinds: readonly InputKind[]) {
    for (const kind of kinds) become(kind, { status: 'starting' });
    const mine = { ...attempt };
    const impossible = cannotAsk();
    const found = await Promise.all(
      kinds.map(async (kind) => ({
        kind,
        permission: impossible ? ('prompt' as const) : await permissionOf(kind),
        missing: !impossible && !(await deviceIds(DEVICE[kind])),
      })),
    );
    const current = found.filter(({ kind }) => attempt[kind] === mine[kind]);
    const ready: InputKind[] = [];
    for (const { kind, permission, missing } of current) {
      if (impossible) become(kind, { status: 'failed', fault: impossible });
      else if (missing) become(kind, { status: 'failed', fault: 'missing' });
      else if (permission === 'denied') become(kind, { status: 'failed', fault: 'denied' });
      else if (permission === 'prompt') become(kind, { status: 'unasked' });
      else ready.push(kind);
    }
    await start(ready);
  }

  const reopen = (kind: InputKind) => begin([kind]);

  async function onDevices() {
    if (!mayRun()) return;
    const output = state.choice.audioOutputId;
    const outputs = output === undefined ? undefined : await deviceIds('audiooutput');
    if (output !== undefined && !outputs?.has(output)) forgetDevice('audiooutput', 'audioOutputId');
    for (const kind of KINDS) {
      const now = state[kind];
      const ids = await deviceIds(DEVICE[kind]);
      if (state[kind] !== now) continue;
      const id = state.choice[ID[kind]];
      if (now.status === 'on' && id !== undefined && ids?.has(id) !== true) {
        forgetDevice(DEVICE[kind], ID[kind]);
        await reopen(kind);
      } else if (now.status === 'failed' && now.fault === 'missing' && ids) {
        await reopen(kind);
      }
    }
  }

  function onPermission(kind: InputKind, permission: Permission) {
    const now = state[kind];
    const refused = now.status === 'failed' && REFUSED.has(now.fault);
    if (!state.choice[kind] || !mayRun()) return;
    if (permission === 'denied') become(kind, { status: 'failed', fault: 'denied' });
    else if (refused && permission === 'prompt') become(kind, { status: 'unasked' });
    else if (refused || (now.status === 'unasked' && permission === 'granted')) void start([kind]);
  }

  function pause() {
    for (const kind of KINDS) {
      const { status } = state[kind];
      if (status === 'on' || status === 'starting') become(kind, { status: 'paused' });
    }
  }

  function resume() {
    if (mayRun()) void begin(KINDS.filter((kind) => state[kind].status === 'paused'));
  }

  const onVisible = () => (document.hidden ? pause() : resume());

  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    snapshot: () => state,
    open() {
      opened = true;
      const media = navigator.mediaDevices as MediaDevices | undefined;
      const devices = () => void onDevices();
      const unwatch = KINDS.map((kind) =>
        watchPermission(kind, (permission) => onPermission(kind, permission)),
      );
      media?.addEventListener('devicechange', devices);
      document.addEventListener('visibilitychange', onVisible);
      window.addEventListener('pagehide', pause);
      window.addEventListener('pageshow', resume);
      resume();
      return () => {
        opened = false;
        pause();
        for (const end of unwatch) end();
        media?.removeEventListener('devicechange', devices);
        document.removeEventListener('visibilitychange', onVisible);
        window.removeEventListener('pagehide', pause);
        window.removeEventListener('pageshow', resume);
      };
    },
    ask() {
      const waits = (kind: InputKind) =>
        state.choice[kind] && ['unasked', 'failed'].includes(state[kind].status);
      void start(KINDS.filter(waits));
    },
    choose(patch) {
      const before = state.choice;
      const choice = { ...before, ...patch };
      set({ choice, replaced: state.replaced.filter((kind) => !(idOf(kind) in patch)) });
      for (const kind of KINDS) {
        const changed =
          choice[kind] !== before[kind] || (choice[kind] && choice[ID[kind]] !== before[ID[kind]]);
        if (!changed) continue;
        if (!choice[kind]) become(kind, { status: 'off' });
        else void start([kind]);
      }
    },
    hold() {
      held = true;
      pause();
    },
    release() {
      held = false;
      resume();
    },
  };
}

const REFUSED: ReadonlySet<Fault> = new Set(['denied', 'dismissed', 'system']);

function idOf(kind: MediaDeviceKind): keyof DeviceChoice {
  if (kind === 'audiooutput') return 'audioOutputId';
  return kind === 'audioinput' ? 'audioInputId' : 'videoInputId';
}

/** Ids of the devices of a kind; undefined: there is none. */
async function deviceIds(kind: MediaDeviceKind): Promise<ReadonlySet<string> | undefined> {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const ids = devices.filter((device) => device.kind === kind).map((device) => device.deviceId);
  return ids.length > 0 ? new Set(ids) : undefined;
}
