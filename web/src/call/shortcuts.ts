import { useState } from 'react';

const STORED = 'televisit.shortcuts';
const OFF = 'off';

function stored(): boolean {
  try {
    return localStorage.getItem(STORED) !== OFF;
  } catch {
    return true;
  }
}

/** Whether single keys work in a call. Who speaks to the computer, or trembles, switches them off. */
export function useShortcuts(): [boolean, (on: boolean) => void] {
  const [isOn, setIsOn] = useState(stored);
  return [
    isOn,
    (on) => {
      setIsOn(on);
      try {
        if (on) localStorage.removeItem(STORED);
        else localStorage.setItem(STORED, OFF);
      } catch {
        // Kept for this call only, then.
      }
    },
  ];
}
