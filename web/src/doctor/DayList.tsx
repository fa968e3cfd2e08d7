import { useTranslation } from 'react-i18next';

import { useSession } from '../app/session';
import { longDay } from '../time/format';
import { layout } from '../ui';
import { type Day, middleOf } from './days';
import styles from './doctor.module.css';
import { VisitRow } from './VisitRow';

/** Days with all their appointments, one below the other. */
export function DayList({
  days,
  today,
  headingLevel: Heading,
}: {
  days: readonly Day[];
  today: string;
  headingLevel: 'h2' | 'h3';
}) {
  const { t } = useTranslation('doctor');
  const { viewer } = useSession();
  return (
    <ol className={layout.stack}>
      {days.map(({ day, appointments }) => {
        const name = longDay(middleOf(day, viewer.timeZone), viewer);
        return (
          <li key={day} className={day === today ? styles.today : styles.dayOf}>
            <Heading className={styles.dayName}>
              {day === today ? t('schedule.todayIs', { day: name }) : name}
            </Heading>
            {appointments.length === 0 ? (
              <p className={layout.quiet}>{t('schedule.free')}</p>
            ) : (
              <ul>
                {appointments.map((appointment) => (
                  <VisitRow key={appointment.id} appointment={appointment} />
                ))}
              </ul>
            )}
          </li>
        );
      })}
    </ol>
  );
}
