// Which call a reload of this tab returns to: the appointment and what was switched on, nothing
// else, and only until the tab is closed.

import type { DeviceChoice } from '../devices/choice';

const STORED = 'televisit.call';

export function rememberCall(appointmentId: string, choice: DeviceChoice): void {
  try {
    sessionStorage.setItem(STORED, JSON.stringify({ appointmentId, choice }));
  } catch {
    // Without storage a reload begins with the check of the devices.
  }
}

export function forgetCall(): void {
  try {
    sessionStorage.removeItem(STORED);
  } catch {
    // Nothing was kept, then.
  }
}

/** What the person was in this call with, in this tab, until it was reloaded. */
export function recallCall(appointmentId: string): DeviceChoice | null {
  try {
    const stored = JSON.parse(sessionStorage.getItem(STORED) ?? 'null') as {
      appointmentId?: unknown;
      choice?: Partial<DeviceChoice>;
    } | null;
    const choice = stored?.choice;
    if (stored?.appointmentId !== appointmentId || !choice) return null;
    return { ...choice, audio: choice.audio === true, video: choice.video === true };
  } catch {
    return null;
  }
}
