import { useQuery } from '@tanstack/react-query';
import { CalendarX } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useParams } from 'react-router';

import { type Appointment, isProblem } from '../api';
import { queries } from '../app/queries';
import { useSession } from '../app/session';
import { Button, Card, EmptyState, FormError, layout, LinkButton, Page, Skeleton } from '../ui';
import { Actions } from './Actions';
import { useTitleOf } from './AppointmentCard';
import styles from './AppointmentPage.module.css';
import { CallsPart } from './CallsPart';
import { HistoryPart } from './HistoryPart';
import { JoinArea } from './JoinArea';
import { type As } from './people';
import { Presence } from './Presence';
import { StatusBadge } from './StatusBadge';
import { When } from './When';

/** What somebody is to the appointments that they may look at. */
function useAs(): As {
  const { role } = useSession().person;
  if (role === 'PATIENT') return 'patient';
  return role === 'DOCTOR' ? 'doctor' : 'staff';
}

/** One appointment: all that is known of it, and what can be done with it. */
export default function AppointmentPage() {
  const { t } = useTranslation('appointments');
  const { id = '' } = useParams();
  const as = useAs();
  const found = useQuery(queries.appointment(id));

  if (found.data) return <Found appointment={found.data} as={as} />;
  if (found.isPending)
    return (
      <Page title={t('page.title')}>
        <Skeleton lines={10} />
      </Page>
    );
  // Anything that is no id is to the server a request that it cannot read.
  if (isProblem(found.error) && [404, 422].includes(found.error.status))
    return (
      <Page title={t('page.notFound')}>
        <EmptyState
          icon={<CalendarX />}
          title={t('page.notFoundText')}
          action={<LinkButton to="/">{t('page.toHome')}</LinkButton>}
        />
      </Page>
    );
  return (
    <Page title={t('page.title')}>
      <div className={layout.stack}>
        <FormError error={found.error} />
        <div>
          <Button onClick={() => void found.refetch()}>{t('action.retry')}</Button>
        </div>
      </div>
    </Page>
  );
}

function Found({ appointment, as }: { appointment: Appointment; as: As }) {
  const { t } = useTranslation('appointments');
  return (
    <Page title={useTitleOf(appointment, as)}>
      <div className={layout.stack}>
        <Card heading={t('page.when')}>
          <div className={`${layout.row} ${layout.between}`}>
            <When appointment={appointment} />
            <StatusBadge appointment={appointment} />
          </div>
          {appointment.status === 'NO_SHOW' && isMissed(appointment.noShow) && (
            <p>{t(`missed.${appointment.noShow}`)}</p>
          )}
          {as !== 'staff' && <JoinArea appointment={appointment} as={as} />}
          {/* Below the button: who comes must not push it away from under a finger. */}
          <Presence appointment={appointment} as={as} />
          <Actions appointment={appointment} as={as} />
        </Card>
        <Card heading={t('page.people')}>
          <ul className={`${layout.stack} ${layout.tight}`}>
            {appointment.participants.map(({ id, displayName, type }) => (
              <li key={id}>
                {displayName} <span className={layout.quiet}>({t(`type.${type}`)})</span>
              </li>
            ))}
          </ul>
        </Card>
        <Text heading={t('page.reason')} text={appointment.reason} />
        <Text heading={t('page.note')} text={appointment.note} />
        <HistoryPart appointment={appointment} />
        <CallsPart appointment={appointment} as={as} />
      </div>
    </Page>
  );
}

const MISSED = ['PATIENT', 'DOCTOR', 'BOTH', 'MISSED'] as const;

function isMissed(side: string | undefined): side is (typeof MISSED)[number] {
  return MISSED.some((known) => known === side);
}

function Text({ heading, text }: { heading: string; text: string }) {
  if (text === '') return null;
  return (
    <Card heading={heading}>
      <p className={styles.lines}>{text}</p>
    </Card>
  );
}
