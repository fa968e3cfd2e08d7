// The devices of this browser, as they come and go. Names are known only after permission.

import { useSyncExternalStore } from 'react';

let devices: readonly MediaDeviceInfo[] = [];
const listeners = new Set<() => void>();

const mediaDevices = () => navigator.mediaDevices as MediaDevices | undefined;

/** Reads the list again: no event tells that names became known. */
export async function refreshDevices(): Promise<void> {
  try {
    devices = (await mediaDevices()?.enumerateDevices()) ?? [];
  } catch {
    devices = []; // a browser that does not tell
  }
  for (const listener of listeners) listener();
}

const onChange = () => void refreshDevices();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (listeners.size === 1) {
    mediaDevices()?.addEventListener('devicechange', onChange);
    onChange();
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) mediaDevices()?.removeEventListener('devicechange', onChange);
  };
}

/** All devices, followed while the component is there. */
export function useDeviceList(): readonly MediaDeviceInfo[] {
  return useSyncExternalStore(subscribe, () => devices);
}

/** Whether sound can be sent to a loudspeaker of the person's choice. */
export function canChooseOutput(): boolean {
  return 'setSinkId' in HTMLMediaElement.prototype;
}
