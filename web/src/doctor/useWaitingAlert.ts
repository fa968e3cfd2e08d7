import { useEffect, useEffectEvent, useRef } from 'react';
import { useTranslation } from 'react-i18next';

import { useCall } from '../call/context';
import { announce, useTitleAlert } from '../ui';
import { awaitGesture, chime } from './chime';
import type { WaitingPatient } from './today';

/** The app's icon, where it is installed, shows how many wait. */
function showOnIcon(count: number): void {
  if (!('setAppBadge' in navigator)) return;
  const shown = count > 0 ? navigator.setAppBadge(count) : navigator.clearAppBadge();
  shown.catch(() => undefined); // not installed
}

/**
 * Tells a doctor that somebody waits, also when the page is in the background: title, sound, icon,
 * and by ear. `waiting` is undefined as long as nobody knows. In a call there is no sound.
 */
export function useWaitingAlert(waiting: readonly WaitingPatient[] | undefined): void {
  const { t } = useTranslation('doctor');
  const { inCall } = useCall();
  const known = useRef<ReadonlySet<string>>(null);
  const count = waiting?.length ?? 0;

  useTitleAlert(count > 0 ? t('waiting.title', { count }) : '');
  useEffect(() => awaitGesture(), []);
  useEffect(() => showOnIcon(count), [count]);
  useEffect(() => () => showOnIcon(0), []);

  const tell = useEffectEvent((names: string[]) => {
    for (const name of names) announce(t('waiting.announce', { name }));
    if (names.length > 0 && !inCall) void chime();
  });

  useEffect(() => {
    if (!waiting) return;
    const keyOf = (one: WaitingPatient) => `${one.appointmentId} ${one.since}`;
    // Who waited before this page was opened is seen on it; only who comes now is told.
    const before = known.current ?? new Set(waiting.map(keyOf));
    known.current = new Set(waiting.map(keyOf));
    tell(waiting.filter((one) => !before.has(keyOf(one))).map(({ name }) => name));
  }, [waiting]);
}
