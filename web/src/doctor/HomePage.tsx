import { CalendarCheck, Users } from 'lucide-react';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { useSession } from '../app/session';
import { boardState } from '../staff/board-state';
import { longDay } from '../time/format';
import { Badge, EmptyState, layout, LinkButton, Page, Skeleton } from '../ui';
import { groupByDay, middleOf, plusDays, weekdayOf } from './days';
import { DayList } from './DayList';
import styles from './doctor.module.css';
import { ReadFailed } from './ReadFailed';
import { Requests } from './Requests';
import { arrangeToday, waitingPatients } from './today';
import { TodayCard } from './TodayCard';
import { useWeek } from './useWeek';
import { VisitRow } from './VisitRow';

/** The doctor's home: who waits, what is asked for, today, and the rest of the week. */
export default function HomePage() {
  const { t } = useTranslation('doctor');
  const { viewer } = useSession();
  const { week, appointments, today, now } = useWeek();
  const waiting = useMemo(() => waitingPatients(appointments, now), [appointments, now]);

  return (
    <Page
      title={t('home.title')}
      actions={
        waiting.length > 0 && (
          <Badge tone="accent" icon={<Users aria-hidden="true" />}>
            {t('waiting.count', { count: waiting.length })}
          </Badge>
        )
      }
    >
      <p className={styles.date}>{longDay(middleOf(today, viewer.timeZone), viewer)}</p>
      {week.data ? (
        <>
          <TodayLists appointments={week.data} now={now} today={today} />
          <RestOfWeek appointments={week.data} today={today} />
        </>
      ) : week.isError ? (
        <ReadFailed error={week.error} onRetry={() => void week.refetch()} />
      ) : (
        <Skeleton lines={10} />
      )}
    </Page>
  );
}

function TodayLists(props: { appointments: readonly Appointment[]; now: number; today: string }) {
  const { appointments, now, today } = props;
  const { t } = useTranslation('doctor');
  const { viewer } = useSession();
  const { current, later, earlier } = useMemo(
    () => arrangeToday(appointments, now, today, viewer.timeZone),
    [appointments, now, today, viewer.timeZone],
  );
  const empty = current.length + later.length + earlier.length === 0;
  return (
    <>
      {current.length > 0 && (
        <section className={layout.stack} aria-labelledby="current">
          <h2 id="current">{t('home.now')}</h2>
          {current.map((appointment, place) => (
            <TodayCard
              key={appointment.id}
              appointment={appointment}
              completable={boardState(appointment, now).kind !== 'open'}
              big={place === 0}
            />
          ))}
        </section>
      )}
      <Requests />
      {later.length > 0 && (
        <section className={layout.stack} aria-labelledby="later">
          <h2 id="later">{t('home.later', { count: later.length })}</h2>
          {later.map((appointment) => (
            <TodayCard key={appointment.id} appointment={appointment} completable={false} />
          ))}
        </section>
      )}
      {earlier.length > 0 && (
        <section aria-labelledby="earlier">
          <h2 id="earlier">{t('home.earlier')}</h2>
          <ul>
            {earlier.map((appointment) => (
              <VisitRow key={appointment.id} appointment={appointment} />
            ))}
          </ul>
        </section>
      )}
      {empty && (
        <EmptyState icon={<CalendarCheck />} title={t('home.empty')}>
          <p>{t('home.emptyText')}</p>
        </EmptyState>
      )}
    </>
  );
}

function RestOfWeek(props: { appointments: readonly Appointment[]; today: string }) {
  const { appointments, today } = props;
  const { t } = useTranslation('doctor');
  const { viewer } = useSession();
  const days = groupByDay(appointments, plusDays(today, 1), 7 - weekdayOf(today), viewer.timeZone);
  return (
    <section className={layout.stack} aria-labelledby="week">
      <h2 id="week">{t('home.week')}</h2>
      {days.length === 0 ? (
        <p className={layout.quiet}>{t('home.weekOver')}</p>
      ) : (
        <DayList days={days} today={today} headingLevel="h3" />
      )}
      <p>
        <LinkButton to="/schedule">{t('home.toSchedule')}</LinkButton>
      </p>
    </section>
  );
}
