import {
  lazy,
  type ReactNode,
  Suspense,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { useLocation, useNavigate, useSearchParams } from 'react-router';

import type { Role } from '../api';
import { useSession } from '../app/session';
import { Spinner } from '../ui';
import styles from './CallProvider.module.css';
import { CallContext } from './context';

const CallHost = lazy(() => import('./CallHost'));

const PARAM = 'call';
/** Marks an entry of the history that open() has made, so that closing goes back over it. */
const OPENED = { callOpened: true };

const AS: Partial<Record<Role, 'patient' | 'doctor'>> = { PATIENT: 'patient', DOCTOR: 'doctor' };

/**
 * Lets any page open a call, and keeps it over the pages. Which one is open stands in the address
 * (`?call=<appointment>`), so a reload returns to it and the way back leads out of it.
 */
export function CallProvider({ children }: { children: ReactNode }) {
  const as = AS[useSession().person.role];
  const [params, setParams] = useSearchParams();
  const navigate = useNavigate();
  const location = useLocation();
  const wanted = as ? params.get(PARAM) : null;
  const [held, setHeld] = useState<string | null>(null);
  const [inCall, setInCall] = useState(false);
  const [leaveAsked, setLeaveAsked] = useState(0);
  const opener = useRef<Element | null>(null);

  const show = useCallback(
    (appointmentId: string) =>
      setParams(
        (now) => {
          now.set(PARAM, appointmentId);
          return now;
        },
        { state: OPENED },
      ),
    [setParams],
  );

  // The address decides, except that a call which is on is not left by the button "back".
  if (wanted !== held && !inCall) setHeld(wanted);
  const isDriftingAway = inCall && wanted !== held;
  useEffect(() => {
    if (!isDriftingAway || held === null) return;
    show(held);
    // eslint-disable-next-line react-hooks/set-state-in-effect -- the address changed by itself
    setLeaveAsked((times) => times + 1);
  }, [isDriftingAway, held, show]);

  const open = useCallback(
    (appointmentId: string) => {
      if (inCall) return;
      opener.current = document.activeElement;
      show(appointmentId);
    },
    [inCall, show],
  );

  const close = useCallback(() => {
    if ((location.state as typeof OPENED | null)?.callOpened) void navigate(-1);
    else
      setParams(
        (now) => {
          now.delete(PARAM);
          return now;
        },
        { replace: true },
      );
  }, [location.state, navigate, setParams]);

  useEffect(() => {
    if (held !== null) return;
    // After the overlay has let go of the focus.
    const timer = setTimeout(() => giveFocusBack(opener.current), 0);
    return () => clearTimeout(timer);
  }, [held]);

  const control = useMemo(() => ({ appointmentId: held, inCall, open }), [held, inCall, open]);
  return (
    <CallContext value={control}>
      {children}
      {held !== null && as && (
        <Suspense fallback={<Loading />}>
          <CallHost
            key={held}
            appointmentId={held}
            as={as}
            leaveAsked={leaveAsked}
            onUnderWay={setInCall}
            onClose={close}
          />
        </Suspense>
      )}
    </CallContext>
  );
}

/** To what opened the call; when that is gone, to the heading of the page that is there now. */
function giveFocusBack(opener: Element | null): void {
  if (!opener) return;
  const target = opener.isConnected ? opener : document.querySelector('main h1');
  if (target instanceof HTMLElement) target.focus();
}

function Loading() {
  return (
    <div className={styles.loading}>
      <Spinner />
    </div>
  );
}
