// Who uses the app, and how they want times and texts: read on load, kept over tabs, and let go
// together with everything that was read for them.

import { type QueryClient, useQuery, useQueryClient } from '@tanstack/react-query';
import {
  createContext,
  Fragment,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { useTranslation } from 'react-i18next';
import { Navigate, useLocation, useNavigate } from 'react-router';

import { isProblem, type LogInRequest, type Person } from '../api';
import { speak } from '../i18n';
import { type Language, languageOf } from '../i18n/languages';
import type { Viewer } from '../time/format';
import { keys, queries } from './queries';
import { client, onSessionChange } from './services';

export interface Session {
  person: Person;
  viewer: Viewer;
  /** The session was changed (settings) and is read again. */
  reload: () => Promise<void>;
  logOut: () => Promise<void>;
}

/** Whether somebody is logged in; for the way in and for what stands outside of a session. */
export interface Auth {
  /** 'failed': it could not be found out, because the server is away. */
  status: 'loading' | 'in' | 'out' | 'failed';
  /** Of 'failed', else null. */
  error: unknown;
  /** Of 'out'. 'left': somebody logged out, here or in another tab; 'expired': it ended by itself. */
  reason: 'none' | 'left' | 'expired';
  session: Session | null;
  logIn: (credentials: Credentials) => Promise<Person>;
  /** Asks again, after 'failed'. */
  retry: () => void;
}

export type Credentials = Omit<LogInRequest, 'cookie'>;

const AuthContext = createContext<Auth | null>(null);
export const SessionContext = createContext<Session | null>(null);

/** Inside of SessionProvider. */
export function useAuth(): Auth {
  const auth = useContext(AuthContext);
  if (!auth) throw new Error('used outside of SessionProvider');
  return auth;
}

/** Inside the logged-in part of the app only. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('used outside of a session');
  return session;
}

/** Says that there was a session in this browser, so that a new visitor is asked to log in at once
 *  instead of after a question to the server that can only be answered with no. */
const FLAG = 'televisit.session';

let chosenHere: Language | undefined;

/** The person chose this language just now: it is spoken, also if their account says another. */
export async function chooseLanguage(language: Language): Promise<void> {
  chosenHere = language;
  await speak(language);
}

/** Speaks what the person wants, or tells the account what they chose on the way in. */
async function agreeOnLanguage(person: Person, spoken: string): Promise<void> {
  const wanted = languageOf(person.language);
  if (chosenHere !== undefined && chosenHere !== wanted) {
    await client.updateMe({ language: chosenHere });
  } else if (wanted !== undefined && wanted !== languageOf(spoken)) {
    await speak(wanted);
  }
}

function knownZone(timeZone: string): boolean {
  try {
    return timeZone !== '' && Boolean(new Intl.DateTimeFormat('en', { timeZone }));
  } catch {
    return false;
  }
}

function viewerOf(person: Person, spoken: string): Viewer {
  return {
    // "de-CH" writes times as in Switzerland, as long as German is what is spoken.
    locale: languageOf(person.language) === languageOf(spoken) ? person.language : spoken,
    timeZone: knownZone(person.timeZone)
      ? person.timeZone
      : new Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
}

/** Whether a session may be open, and if not, what became of the last one. */
interface Standing {
  mayBeIn: boolean;
  reason: Auth['reason'];
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const queryClient = useQueryClient();
  const { i18n } = useTranslation();
  const navigate = useNavigate();
  const [{ mayBeIn, reason }, setStanding] = useState<Standing>(() => ({
    mayBeIn: localStorage.getItem(FLAG) !== null,
    reason: 'none',
  }));

  /** Nothing that was read for one person stays for the next. */
  const forget = useCallback(() => {
    void queryClient.cancelQueries();
    queryClient.clear();
  }, [queryClient]);

  const me = useQuery({
    queryKey: keys.me,
    enabled: mayBeIn,
    queryFn: async () => {
      const before = queryClient.getQueryData<Person>(keys.me);
      if (!before) {
        // Together, because the stream of notices goes on after the newest of the inbox: what is
        // read later than that is either up to date or told of.
        const [found] = await Promise.all([client.me(), readInbox(queryClient)]);
        return found;
      }
      const now = await client.me();
      if (now.id !== before.id) {
        // Somebody else has logged in, and this tab was not told.
        queryClient.removeQueries({ predicate: (query) => query.queryKey[0] !== keys.me[0] });
        await readInbox(queryClient);
      }
      return now;
    },
  });
  const person = mayBeIn ? me.data : undefined;

  const end = useCallback(
    (why: Standing['reason']) => {
      localStorage.removeItem(FLAG);
      setStanding({ mayBeIn: false, reason: why });
      forget();
    },
    [forget],
  );

  const begin = useCallback(
    async (next: Person) => {
      forget();
      await readInbox(queryClient);
      queryClient.setQueryData(keys.me, next);
      setStanding({ mayBeIn: true, reason: 'none' });
    },
    [forget, queryClient],
  );

  const { refetch } = me;
  useEffect(
    () =>
      onSessionChange((change) => {
        if (change.kind === 'expired') end('expired');
        else if (change.kind === 'logged-out') end('left');
        else if (queryClient.getQueryData<Person>(keys.me)?.id !== change.personId) {
          forget();
          setStanding({ mayBeIn: true, reason: 'none' });
          void refetch();
        }
      }),
    [end, forget, queryClient, refetch],
  );

  // Where one person was is not where the next begins.
  const personId = person?.id;
  const shownFor = useRef(personId);
  useEffect(() => {
    if (personId === undefined) return;
    localStorage.setItem(FLAG, '1');
    if (shownFor.current !== undefined && shownFor.current !== personId)
      void navigate('/', { replace: true });
    shownFor.current = personId;
  }, [personId, navigate]);

  useEffect(() => {
    // Settings can still do what fails here.
    if (person) void agreeOnLanguage(person, i18n.language).catch(() => undefined);
  }, [person, i18n]);

  const session = useMemo<Session | null>(
    () =>
      person
        ? {
            person,
            viewer: viewerOf(person, i18n.language),
            reload: async () => {
              await refetch();
            },
            logOut: async () => {
              await client.logOut();
              end('left');
            },
          }
        : null,
    [person, i18n.language, refetch, end],
  );

  const failure = person ? null : me.error;
  const auth = useMemo<Auth>(() => {
    const out = !mayBeIn || (isProblem(failure) && failure.status === 401);
    return {
      status: session ? 'in' : out ? 'out' : failure ? 'failed' : 'loading',
      error: out ? null : failure,
      reason,
      session,
      logIn: async (credentials) => {
        const next = await client.logIn(credentials);
        await begin(next);
        return next;
      },
      retry: () => void refetch(),
    };
  }, [session, mayBeIn, failure, reason, begin, refetch]);

  return (
    <AuthContext value={auth}>
      <SessionContext value={session}>
        <Fragment key={personId ?? ''}>{children}</Fragment>
      </SessionContext>
    </AuthContext>
  );
}

/** The newest notices; a session opens also without them. */
async function readInbox(queryClient: QueryClient): Promise<void> {
  await queryClient.query({ ...queries.inbox(), retry: false }).catch(() => undefined);
}

/** The logged-in part of the app. Others are sent to log in, and come back to where they were. */
export function RequireSession({
  children,
  loading,
  failed,
}: {
  children: ReactNode;
  loading: ReactNode;
  failed: (error: unknown, retry: () => void) => ReactNode;
}) {
  const { status, error, reason, retry } = useAuth();
  const { pathname, search, hash } = useLocation();
  if (status === 'in') return children;
  if (status === 'loading') return loading;
  if (status === 'failed') return failed(error, retry);
  const query = new URLSearchParams();
  const here = pathname + search + hash;
  if (here !== '/' && reason !== 'left') query.set('next', here);
  if (reason === 'expired') query.set('reason', reason);
  return <Navigate to={{ pathname: '/login', search: query.toString() }} replace />;
}
