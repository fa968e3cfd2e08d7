import { CircleCheck } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { AppointmentCard } from '../appointments/AppointmentCard';
import { participant } from '../appointments/people';
import { Button } from '../ui';
import styles from './doctor.module.css';

const CompleteDialog = lazy(() => import('./CompleteDialog'));

export interface TodayCardProps {
  appointment: Appointment;
  /** Somebody came, or should have: it can be said to be over. */
  completable: boolean;
  big?: boolean;
}

/** An appointment of today, with the way into its call. */
export function TodayCard({ appointment, completable, big = false }: TodayCardProps) {
  const { t } = useTranslation('doctor');
  const [completing, setCompleting] = useState(false);
  const name = participant(appointment, 'PATIENT')?.displayName ?? '';
  const { reason } = appointment;
  return (
    <>
      <AppointmentCard
        appointment={appointment}
        as="doctor"
        headingLevel={3}
        big={big}
        actions={
          (reason !== '' || completable) && (
            <>
              {reason !== '' && <p className={styles.reason}>{t('requests.reason', { reason })}</p>}
              {completable && (
                <Button
                  icon={<CircleCheck aria-hidden="true" />}
                  aria-label={t('complete.of', { name })}
                  onClick={() => setCompleting(true)}
                >
                  {t('complete.action')}
                </Button>
              )}
            </>
          )
        }
      />
      {completing && (
        <Suspense>
          <CompleteDialog appointment={appointment} onClose={() => setCompleting(false)} />
        </Suspense>
      )}
    </>
  );
}
