// What the rest of the app knows of the call: whether one is on, and how to open one. The call
// itself is a chunk of its own, loaded when the first one is opened (CallHost.tsx).

import { createContext, useContext } from 'react';

export interface CallControl {
  /** The appointment whose call (or the check before it) covers the page; null: none. */
  appointmentId: string | null;
  /** Whether media flow or are being set up: another join button is disabled meanwhile. */
  inCall: boolean;
  /** Opens the check before the call, as what the caller takes part. */
  open(appointmentId: string, as: 'patient' | 'doctor'): void;
}

export const CallContext = createContext<CallControl>({
  appointmentId: null,
  inCall: false,
  open: () => undefined,
});

export function useCall(): CallControl {
  return useContext(CallContext);
}
