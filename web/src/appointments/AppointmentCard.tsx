import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import type { Appointment } from '../api';
import { Card } from '../ui';
import styles from './AppointmentCard.module.css';
import { JoinArea } from './JoinArea';
import { type As, others, participant } from './people';
import { Presence } from './Presence';
import { StatusBadge } from './StatusBadge';
import { When } from './When';

export interface AppointmentCardProps {
  appointment: Appointment;
  as: As;
  /** Buttons below. */
  actions?: ReactNode;
  headingLevel?: 2 | 3 | 4;
  /** The one that matters now: larger. */
  big?: boolean;
  /** Nobody can join it any more: nothing is said about joining. */
  past?: boolean;
}

/** Whom an appointment is with, in words. */
export function useTitleOf(appointment: Appointment, as: As): string {
  const { t } = useTranslation('appointments');
  if (as !== 'staff') return others(appointment, as)[0]?.displayName ?? t('page.title');
  return t('with.both', {
    patient: participant(appointment, 'PATIENT')?.displayName ?? '',
    doctor: participant(appointment, 'DOCTOR')?.displayName ?? '',
  });
}

/** An appointment: with whom, when, how it stands, the way into the call, and who is there. */
export function AppointmentCard(props: AppointmentCardProps) {
  const { appointment, as, actions, headingLevel, big = false, past = false } = props;
  const title = useTitleOf(appointment, as);
  return (
    <Card
      as="article"
      tone={big ? 'accent' : 'neutral'}
      heading={<Link to={`/appointments/${appointment.id}`}>{title}</Link>}
      {...(headingLevel && { headingLevel })}
      className={[styles.card, big && styles.big].filter(Boolean).join(' ')}
      data-testid={`appointment-${appointment.id}`}
      footer={actions}
    >
      <div className={styles.facts}>
        <When appointment={appointment} />
        <StatusBadge appointment={appointment} />
      </div>
      {as !== 'staff' && !past && <JoinArea appointment={appointment} as={as} />}
      {/* Below the button: who comes must not push it away from under a finger. */}
      <Presence appointment={appointment} as={as} />
    </Card>
  );
}
