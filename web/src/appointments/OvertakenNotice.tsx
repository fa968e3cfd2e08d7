import { useTranslation } from 'react-i18next';

import { useSession } from '../app/session';
import { clockTime, longDay } from '../time/format';
import { Notice } from '../ui';
import { changesOf } from './changes';
import type { Overtaken } from './useChange';

/** Says that somebody else changed the appointment first, and what is different now. */
export function OvertakenNotice({ overtaken }: { overtaken: Overtaken | null }) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  if (!overtaken) return null;
  const { before, after } = overtaken;
  const changes = changesOf(before, after);
  const day = longDay(after.startsAt, viewer);
  const time = clockTime(after.startsAt, viewer);
  return (
    <Notice tone="warn" title={t('stale.title')}>
      {changes.includes('time') && <p>{t('stale.time', { day, time })}</p>}
      {changes.includes('status') && (
        <p>{t('stale.status', { status: t(`status.${after.status}`) })}</p>
      )}
      <p>{t('stale.other')}</p>
    </Notice>
  );
}
