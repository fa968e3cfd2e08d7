import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import type { Appointment } from '../api';
import { useSession } from '../app/session';
import { participant } from '../appointments/people';
import { StatusBadge } from '../appointments/StatusBadge';
import { clockTime } from '../time/format';
import styles from './doctor.module.css';

/** One appointment of a doctor in a line, where there are many. */
export function VisitRow({ appointment }: { appointment: Appointment }) {
  const { t } = useTranslation('doctor');
  const { viewer } = useSession();
  const { id, startsAt, endsAt } = appointment;
  const off = appointment.status === 'CANCELLED' || appointment.status === 'DECLINED';
  return (
    <li className={styles.visit} data-testid={`appointment-${id}`}>
      <span className={styles.time}>
        <time dateTime={startsAt}>{clockTime(startsAt, viewer)}</time>
        {' – '}
        {clockTime(endsAt, viewer)}
      </span>
      <Link to={`/appointments/${id}`} className={off ? styles.off : styles.name}>
        {participant(appointment, 'PATIENT')?.displayName ?? t('patient')}
      </Link>
      <StatusBadge appointment={appointment} />
    </li>
  );
}
