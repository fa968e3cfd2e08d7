import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

import { queries } from '../app/queries';
import { serverClock } from '../app/services';
import { useSession } from '../app/session';
import { zoneName } from '../time/format';
import { Notice, Page, Skeleton } from '../ui';
import { HoursEditor } from './HoursEditor';
import { ReadFailed } from './ReadFailed';

/** When patients can book a visit with the doctor, week after week. */
export default function HoursPage() {
  const { t } = useTranslation('doctor');
  const { person, viewer } = useSession();
  const hours = useQuery(queries.availability(person.id));

  return (
    <Page title={t('hours.title')}>
      <p>{t('hours.intro')}</p>
      {hours.data ? (
        <>
          <Notice>
            {t('hours.zone', {
              zone: zoneName(hours.data.timeZone, viewer.locale, serverClock.now()),
            })}
          </Notice>
          <HoursEditor key={hours.data.doctorId} availability={hours.data} />
        </>
      ) : hours.isError ? (
        <ReadFailed error={hours.error} onRetry={() => void hours.refetch()} />
      ) : (
        <Skeleton lines={12} />
      )}
    </Page>
  );
}
