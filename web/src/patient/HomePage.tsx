import { useQuery } from '@tanstack/react-query';
import { CalendarPlus, CalendarX, Clock } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import type { Appointment } from '../api';
import { queries } from '../app/queries';
import { serverClock } from '../app/services';
import { useSession } from '../app/session';
import { AppointmentCard } from '../appointments/AppointmentCard';
import {
  Button,
  Card,
  EmptyState,
  FormError,
  layout,
  LinkButton,
  Notice,
  Page,
  Skeleton,
} from '../ui';
import styles from './HomePage.module.css';
import { type Home, homeOf } from './home';

const DAY_MS = 24 * 3_600_000;

/** The patient's home: the next appointment and its way into the call, then what else there is. */
export default function HomePage() {
  const { t } = useTranslation('patient');
  const { person } = useSession();
  // A call that began yesterday may be open still.
  const [from] = useState(() => new Date(serverClock.now() - DAY_MS).toISOString());
  const found = useQuery(queries.appointments({ from }));
  return (
    <Page title={t('home.hello', { name: person.displayName })} actions={<BookLink />}>
      <div className={`${layout.stack} ${layout.wide}`}>
        {found.isError && (
          <Notice
            tone="warn"
            actions={<Button onClick={() => void found.refetch()}>{t('home.retry')}</Button>}
          >
            {found.data ? t('home.old') : <FormError error={found.error} />}
          </Notice>
        )}
        {found.isPending && (
          <div className={styles.loading}>
            <Skeleton lines={5} />
          </div>
        )}
        {found.data && <Content home={homeOf(found.data)} />}
      </div>
    </Page>
  );
}

/** To the booking, where the clinic has patients book for themselves. */
function BookLink() {
  const { t } = useTranslation('patient');
  const { data: clinic } = useQuery(queries.clinic());
  if (clinic && !clinic.policy.patientMayBook) return null;
  return (
    <LinkButton to="/book" icon={<CalendarPlus aria-hidden="true" />}>
      {t('home.book')}
    </LinkButton>
  );
}

function Content({ home: { next, later, requests } }: { home: Home }) {
  const { t } = useTranslation('patient');
  if (!next && requests.length === 0)
    return (
      <EmptyState icon={<CalendarX />} title={t('home.empty')} action={<BookLink />}>
        <p>{t('home.emptyText')}</p>
      </EmptyState>
    );
  return (
    <>
      <section className={layout.stack} aria-labelledby="next">
        <h2 id="next">{t('home.next')}</h2>
        {next ? (
          <AppointmentCard appointment={next} as="patient" headingLevel={3} big />
        ) : (
          <EmptyState icon={<Clock />} title={t('home.noneConfirmed')} />
        )}
      </section>
      {next && <Prepare />}
      <List title={t('home.requests')} text={t('home.requestsText')} appointments={requests} />
      <List title={t('home.later')} appointments={later} />
      <p>
        <Link to="/schedule">{t('home.all')}</Link>
      </p>
    </>
  );
}

function List(props: { title: string; text?: string; appointments: Appointment[] }) {
  if (props.appointments.length === 0) return null;
  return (
    <section className={layout.stack} aria-label={props.title}>
      <h2>{props.title}</h2>
      {props.text && <p className={layout.quiet}>{props.text}</p>}
      <ul className={layout.stack}>
        {props.appointments.map((appointment) => (
          <li key={appointment.id}>
            <AppointmentCard appointment={appointment} as="patient" headingLevel={3} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Prepare() {
  const { t } = useTranslation('patient');
  return (
    <Card heading={t('home.prepare')}>
      <ul className={styles.prepare}>
        <li>
          <Link to="/check">{t('home.prepareCheck')}</Link>
        </li>
        <li>{t('home.preparePlace')}</li>
        <li>{t('home.prepareThings')}</li>
        <li>{t('home.prepareCome')}</li>
      </ul>
    </Card>
  );
}
