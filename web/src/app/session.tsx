// Who uses the app, and how they want times and texts.

import { createContext, useContext } from 'react';

import type { Person } from '../api';
import type { Viewer } from '../time/format';

export interface Session {
  person: Person;
  viewer: Viewer;
  /** The session was changed (settings) and is read again. */
  reload(): Promise<void>;
  logOut(): Promise<void>;
}

export const SessionContext = createContext<Session | null>(null);

/** Inside the logged-in part of the app only. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('used outside of a session');
  return session;
}
