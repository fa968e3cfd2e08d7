import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

import { queries } from '../app/queries';
import { serverClock } from '../app/services';
import { useSession } from '../app/session';
import { sameClock, zoneName } from '../time/format';
import { Notice } from '../ui';

/** Whose clock the times are by, where the clinic's is another; else nothing. */
export function ClinicZone() {
  const { t } = useTranslation('staff');
  const { viewer } = useSession();
  const { data: clinic } = useQuery(queries.clinic());
  const now = serverClock.now();
  if (!clinic || sameClock(viewer.timeZone, clinic.timeZone, now)) return null;
  return (
    <Notice>
      {t('board.zone', {
        zone: zoneName(viewer.timeZone, viewer.locale, now),
        clinicZone: zoneName(clinic.timeZone, viewer.locale, now),
      })}
    </Notice>
  );
}
