import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { useSession } from '../app/session';
import { clockTime, longDay } from '../time/format';
import { Card, layout } from '../ui';

/** When it was asked for, and when it last became another. */
export function HistoryPart({ appointment }: { appointment: Appointment }) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  const { createdAt, updatedAt, status, version } = appointment;
  const at = (instant: string) => ({
    day: longDay(instant, viewer),
    time: clockTime(instant, viewer),
  });
  return (
    <Card heading={t('page.history')}>
      <ol className={`${layout.stack} ${layout.tight}`}>
        <li>{t('page.created', at(createdAt))}</li>
        {version > 1 && (
          <li>{t('page.changed', { ...at(updatedAt), status: t(`status.${status}`) })}</li>
        )}
      </ol>
    </Card>
  );
}
