import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { useSession } from '../app/session';
import { clockTime, longDay } from '../time/format';
import { clinicTime } from '../time/zones';
import { layout } from '../ui';
import styles from './AppointmentCard.module.css';

type Times = Pick<Appointment, 'startsAt' | 'endsAt' | 'timeZone'>;

/** Day and time in the viewer's zone, and the clinic's beside it where that is another. */
export function When({ appointment }: { appointment: Times }) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  const { startsAt, endsAt, timeZone } = appointment;
  const there = clinicTime(startsAt, viewer, timeZone);
  return (
    <div>
      <p className={styles.when}>
        <time dateTime={startsAt}>{longDay(startsAt, viewer)}</time>
        <span>
          {t('when.range', { start: clockTime(startsAt, viewer), end: clockTime(endsAt, viewer) })}
        </span>
      </p>
      {there && (
        <p className={`${layout.quiet} ${layout.small}`}>
          {there.day === null
            ? t('when.clinic', { time: there.time, zone: there.zone })
            : t('when.clinicDay', { day: there.day, time: there.time, zone: there.zone })}
        </p>
      )}
    </div>
  );
}
