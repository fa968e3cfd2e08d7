// Why a camera or microphone did not come, in kinds that need different words and different help.

export type InputKind = 'audio' | 'video';

export type Fault =
  /** The person, or a setting of this page, said no. */
  | 'denied'
  /** The question was closed without an answer; it may be asked again. */
  | 'dismissed'
  /** The operating system does not let the browser. */
  | 'system'
  | 'missing'
  /** Another program, or another tab, has it. */
  | 'busy'
  /** It is there and cannot do what was asked. */
  | 'unsuitable'
  /** The page came over http: browsers give no devices to it. */
  | 'insecure'
  /** This browser has no such thing, as inside some apps. */
  | 'unsupported'
  | 'unknown';

const BY_NAME: Partial<Record<string, Fault>> = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'missing',
  NotReadableError: 'busy',
  AbortError: 'busy', // Firefox: "Starting videoinput failed"
  OverconstrainedError: 'unsuitable',
  TypeError: 'unsupported',
};

/** The fault behind what getUserMedia was rejected with. */
export function faultOf(error: unknown): Fault {
  if (typeof error !== 'object' || error === null) return 'unknown';
  const { name, message } = error as Partial<Error>;
  const fault = BY_NAME[name ?? ''] ?? 'unknown';
  if (fault !== 'denied') return fault;
  // Only the message tells these apart (Chrome and its kin, Firefox on macOS).
  if (/by system|operating system|platform/i.test(message ?? '')) return 'system';
  if (/dismissed/i.test(message ?? '')) return 'dismissed';
  return 'denied';
}

/** Why this page cannot even ask; undefined: it can. */
export function cannotAsk(): Fault | undefined {
  if (!window.isSecureContext) return 'insecure';
  // The type says that it is always there; browsers inside apps say otherwise.
  const media = navigator.mediaDevices as MediaDevices | undefined;
  return typeof media?.getUserMedia === 'function' ? undefined : 'unsupported';
}
