import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { AppointmentCard } from '../appointments/AppointmentCard';
import { DeclineDialog } from '../appointments/dialogs';
import { participant } from '../appointments/people';
import { Button, layout } from '../ui';
import { ConfirmButton } from './ConfirmButton';
import styles from './doctor.module.css';
import { ReadFailed } from './ReadFailed';
import { requestsQuery } from './useWeek';

/** What patients ask for, to be taken or declined; nothing at all when there is nothing. */
export function Requests() {
  const { t } = useTranslation('doctor');
  const requests = useQuery(requestsQuery());

  if (requests.isError && !requests.data)
    return <ReadFailed error={requests.error} onRetry={() => void requests.refetch()} />;
  const waiting = requests.data?.filter(({ status }) => status === 'REQUESTED') ?? [];
  if (waiting.length === 0) return null;
  return (
    <section className={layout.stack} aria-labelledby="requests">
      <h2 id="requests">{t('requests.title', { count: waiting.length })}</h2>
      {waiting.map((appointment) => (
        <Request key={appointment.id} appointment={appointment} />
      ))}
    </section>
  );
}

function Request({ appointment }: { appointment: Appointment }) {
  const { t } = useTranslation('doctor');
  const [declining, setDeclining] = useState(false);
  const name = participant(appointment, 'PATIENT')?.displayName ?? '';
  return (
    <>
      <AppointmentCard
        appointment={appointment}
        as="doctor"
        headingLevel={3}
        actions={
          <>
            {appointment.reason !== '' && (
              <p className={styles.reason}>
                {t('requests.reason', { reason: appointment.reason })}
              </p>
            )}
            <ConfirmButton appointment={appointment} />
            <Button
              aria-label={t('requests.declineOf', { name })}
              onClick={() => setDeclining(true)}
            >
              {t('requests.decline')}
            </Button>
          </>
        }
      />
      <DeclineDialog
        appointment={appointment}
        as="doctor"
        isOpen={declining}
        onClose={() => setDeclining(false)}
      />
    </>
  );
}
