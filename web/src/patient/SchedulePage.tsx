import { useQuery } from '@tanstack/react-query';
import { CalendarX } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useSearchParams } from 'react-router';

import type { Appointment } from '../api';
import { queries } from '../app/queries';
import { serverClock } from '../app/services';
import { useSession } from '../app/session';
import { AppointmentCard } from '../appointments/AppointmentCard';
import { isoDay, monthName } from '../time/format';
import { Button, EmptyState, FormError, layout, Page, Skeleton } from '../ui';
import { scheduleOf } from './home';
import styles from './SchedulePage.module.css';

const DAY_MS = 24 * 3_600_000;
/** Before there were video visits. */
const EVER = '2000-01-01T00:00:00Z';

type Which = 'upcoming' | 'past';

/** All appointments of a patient: those to come, or those that were. */
export default function SchedulePage() {
  const { t } = useTranslation('patient');
  const [search] = useSearchParams();
  const which: Which = search.get('show') === 'past' ? 'past' : 'upcoming';
  const [recent] = useState(() => new Date(serverClock.now() - DAY_MS).toISOString());
  const found = useQuery(queries.appointments({ from: which === 'past' ? EVER : recent }));
  return (
    <Page title={t('schedule.title')}>
      <div className={layout.stack}>
        <nav aria-label={t('schedule.which')} className={styles.tabs}>
          <Tab which="upcoming" current={which} />
          <Tab which="past" current={which} />
        </nav>
        {found.isError && !found.data && (
          <>
            <FormError error={found.error} />
            <div>
              <Button onClick={() => void found.refetch()}>{t('home.retry')}</Button>
            </div>
          </>
        )}
        {found.isPending && <Skeleton lines={8} />}
        {found.data && <Months which={which} appointments={found.data} />}
      </div>
    </Page>
  );
}

function Tab({ which, current }: { which: Which; current: Which }) {
  const { t } = useTranslation('patient');
  return (
    <Link
      to={which === 'past' ? '?show=past' : '?'}
      replace
      className={styles.tab}
      aria-current={which === current ? 'page' : undefined}
    >
      {t(`schedule.${which}`)}
    </Link>
  );
}

function Months({ which, appointments }: { which: Which; appointments: Appointment[] }) {
  const { t } = useTranslation('patient');
  const { viewer } = useSession();
  const months = scheduleOf(appointments, which, (at) => isoDay(at, viewer.timeZone).slice(0, 7));
  if (months.length === 0)
    return (
      <EmptyState
        icon={<CalendarX />}
        title={t(which === 'past' ? 'schedule.noPast' : 'schedule.noUpcoming')}
      />
    );
  return months.map((month) => (
    <section key={month.key} className={layout.stack} aria-label={monthName(month.at, viewer)}>
      <h2>{monthName(month.at, viewer)}</h2>
      <ul className={layout.stack}>
        {month.appointments.map((appointment) => (
          <li key={appointment.id}>
            <AppointmentCard
              appointment={appointment}
              as="patient"
              headingLevel={3}
              past={which === 'past'}
            />
          </li>
        ))}
      </ul>
    </section>
  ));
}
