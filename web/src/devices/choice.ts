// What a person takes into a call, and keeping it for the next one, if they want that.

export interface DeviceChoice {
  /** Whether they want to be heard. */
  audio: boolean;
  /** Whether they want to be seen. */
  video: boolean;
  /** Of the browser, for this origin. Without one the browser decides. */
  audioInputId?: string;
  videoInputId?: string;
  audioOutputId?: string;
}

export const EVERYTHING_ON: DeviceChoice = { audio: true, video: true };

const STORED = 'televisit.devices';
const IDS = ['audioInputId', 'videoInputId', 'audioOutputId'] as const;

/** What was asked to be remembered on this device; null: nothing, or nothing that can be read. */
export function rememberedChoice(): DeviceChoice | null {
  try {
    return parse(JSON.parse(localStorage.getItem(STORED) ?? 'null'));
  } catch {
    return null; // no storage in this browser's mode, or not our text
  }
}

/** Only after the person asked for it. */
export function rememberChoice(choice: DeviceChoice): void {
  try {
    localStorage.setItem(STORED, JSON.stringify(parse(choice)));
  } catch {
    // A browser that keeps nothing still makes calls.
  }
}

export function forgetChoice(): void {
  try {
    localStorage.removeItem(STORED);
  } catch {
    // Nothing was kept, then.
  }
}

/** The known members of what is like a choice; the rest is left out. */
function parse(stored: unknown): DeviceChoice | null {
  if (typeof stored !== 'object' || stored === null) return null;
  const { audio, video, ...more } = stored as Record<string, unknown>;
  if (typeof audio !== 'boolean' || typeof video !== 'boolean') return null;
  const choice: DeviceChoice = { audio, video };
  for (const id of IDS) {
    const value = more[id];
    if (typeof value === 'string' && value !== '') choice[id] = value;
  }
  return choice;
}
