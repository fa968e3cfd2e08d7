// What the server tells by itself, for the whole app: notices make stale what they are about, and
// screens listen to them by hooks.

import { type QueryClient, type QueryKey, useQueryClient } from '@tanstack/react-query';
import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useEffectEvent,
  useState,
  useSyncExternalStore,
} from 'react';

import type { ListInboxReply, Notice, Notices, NoticesState, NoticeType } from '../api';
import { keys } from './queries';
import { openNotices } from './services';
import { useSession } from './session';

const LiveContext = createContext<Notices | null>(null);

/** Of several notices in a row the app reads once. */
const COALESCE_MS = 100;

/** What is being read just now may be old as well: its answer is not waited for. */
async function readAgain(queryClient: QueryClient, queryKey: QueryKey): Promise<void> {
  await queryClient.cancelQueries({ queryKey }, { silent: true });
  await queryClient.invalidateQueries({ queryKey });
}

/** Marks queries as stale, those of one instant together. */
export function createInvalidator(queryClient: QueryClient) {
  const stale = new Map<string, QueryKey>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  function flush() {
    timer = undefined;
    const all = [...stale.values()];
    stale.clear();
    for (const queryKey of all) void readAgain(queryClient, queryKey);
  }

  return {
    add(...queryKeys: QueryKey[]) {
      for (const queryKey of queryKeys) stale.set(JSON.stringify(queryKey), queryKey);
      timer ??= setTimeout(flush, COALESCE_MS);
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
      stale.clear();
    },
  };
}

function aboutAppointment(id: string): QueryKey[] {
  return [keys.appointment(id), keys.appointments, keys.calls(id)];
}

/** What a notice makes stale. */
function staleBy(notice: Notice): QueryKey[] {
  const queryKeys: QueryKey[] = [keys.inbox, ...aboutAppointment(notice.appointmentId)];
  // A visit that was booked, moved or given up changes which times are free.
  if (notice.type.startsWith('appointment.')) queryKeys.push(['slots']);
  return queryKeys;
}

/** Inside of a session. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const queryClient = useQueryClient();
  const { person, reload } = useSession();
  const [notices, setNotices] = useState<Notices | null>(null);
  const sessionIsOver = useEffectEvent(() => void reload());

  useEffect(() => {
    const known = queryClient.getQueryData<ListInboxReply>(keys.inbox)?.lastSeq;
    const opened = openNotices(person.id, known);
    const invalidator = createInvalidator(queryClient);
    let wasOpen = false;
    opened.subscribe({
      onNotice: (notice) => invalidator.add(...staleBy(notice)),
      onChanged: (appointmentId) => invalidator.add(...aboutAppointment(appointmentId)),
      onResync: () => invalidator.add([]),
      onState: (state) => {
        if (state === 'ended') sessionIsOver();
        if (state !== 'open') return;
        // Hints are not repeated: those of the time without a stream are lost.
        if (wasOpen || known === undefined) invalidator.add([]);
        wasOpen = true;
      },
    });
    // eslint-disable-next-line react-hooks/set-state-in-effect -- the stream is made here, once
    setNotices(opened);
    return () => {
      invalidator.stop();
      opened.close();
    };
  }, [person.id, queryClient]);

  return <LiveContext value={notices}>{children}</LiveContext>;
}

/** Calls `handler` for each notice from now on, of these types only if given. */
export function useNotice(handler: (notice: Notice) => void, types?: readonly NoticeType[]): void {
  const notices = useContext(LiveContext);
  const onNotice = useEffectEvent((notice: Notice) => {
    if (!types || types.includes(notice.type)) handler(notice);
  });
  useEffect(() => notices?.subscribe({ onNotice: (notice) => onNotice(notice) }), [notices]);
}

const never = () => () => undefined;

/** Whether what the app shows is kept up to date by the server. */
export function useNoticesState(): NoticesState {
  const notices = useContext(LiveContext);
  return useSyncExternalStore(
    notices ? (changed) => notices.subscribe({ onState: changed }) : never,
    () => notices?.state ?? 'connecting',
  );
}
