// Whether the browser would ask, allow or refuse, and when that changes.

import type { InputKind } from './faults';

export type Permission = PermissionState;

const NAME = { audio: 'microphone', video: 'camera' } as const;

async function query(kind: InputKind): Promise<PermissionStatus | null> {
  try {
    // Not all browsers know these names; those answer with an error.
    return await navigator.permissions.query({ name: NAME[kind] });
  } catch {
    return null;
  }
}

export async function permissionOf(kind: InputKind): Promise<Permission> {
  const status = await query(kind);
  if (status && status.state !== 'prompt') return status.state;
  // Names of devices are told only to pages that may use them; Firefox and Safari keep "prompt" for
  // a permission that holds for this visit.
  const devices = await navigator.mediaDevices.enumerateDevices();
  const named = devices.some(({ kind: type, label }) => type === `${kind}input` && label !== '');
  return named ? 'granted' : 'prompt';
}

/** Tells of each change until the returned function is called. */
export function watchPermission(
  kind: InputKind,
  onChange: (permission: Permission) => void,
): () => void {
  const end = new AbortController();
  void query(kind).then((status) => {
    if (!status || end.signal.aborted) return;
    status.addEventListener('change', () => onChange(status.state), { signal: end.signal });
  });
  return () => end.abort();
}
