import { useQuery } from '@tanstack/react-query';
import { ChevronLeft, ChevronRight } from 'lucide-react';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useSearchParams } from 'react-router';

import { queries } from '../app/queries';
import { useSession } from '../app/session';
import { LinkButton, Page, Skeleton } from '../ui';
import { groupByDay, isDay, plusDays, spanOf, weekName, weekOf } from './days';
import { DayList } from './DayList';
import styles from './doctor.module.css';
import { ReadFailed } from './ReadFailed';
import { useToday } from './useToday';

/** The doctor's appointments, week by week; `?week=` is a day in the week. */
export default function SchedulePage() {
  const { t } = useTranslation('doctor');
  const { viewer } = useSession();
  const today = useToday(viewer.timeZone);
  const [search] = useSearchParams();
  const asked = search.get('week');
  const monday = weekOf(isDay(asked) ? asked : today);
  const week = useQuery(queries.appointments(spanOf(monday, 7, viewer.timeZone)));
  const { data } = week;
  const days = useMemo(
    () => data && groupByDay(data, monday, 7, viewer.timeZone),
    [data, monday, viewer.timeZone],
  );
  const to = (day: string) => `/schedule?week=${day}`;

  return (
    <Page title={t('schedule.title')}>
      <nav aria-label={t('schedule.weeks')} className={styles.turn}>
        <LinkButton to={to(plusDays(monday, -7))} icon={<ChevronLeft aria-hidden="true" />}>
          {t('schedule.previous')}
        </LinkButton>
        <LinkButton to="/schedule" aria-current={monday === weekOf(today) ? 'page' : undefined}>
          {t('schedule.this')}
        </LinkButton>
        <LinkButton to={to(plusDays(monday, 7))}>
          {t('schedule.next')}
          <ChevronRight aria-hidden="true" />
        </LinkButton>
      </nav>
      <p role="status" className={styles.date}>
        {weekName(monday, viewer.locale)}
        {data && ` · ${t('schedule.count', { count: data.length })}`}
      </p>
      {days ? (
        <DayList days={days} today={today} headingLevel="h2" />
      ) : week.isError ? (
        <ReadFailed error={week.error} onRetry={() => void week.refetch()} />
      ) : (
        <Skeleton lines={14} />
      )}
    </Page>
  );
}
