import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { CancelDialog, DeclineDialog, MoveDialog } from '../appointments/dialogs';
import { participant } from '../appointments/people';
import { ConfirmButton } from '../doctor/ConfirmButton';
import { Button, LinkButton } from '../ui';
import type { Action } from './board';
import styles from './board.module.css';

const CompleteDialog = lazy(() => import('../doctor/CompleteDialog'));
const NoShowDialog = lazy(() => import('./NoShowDialog'));

export interface VisitActionsProps {
  id: string;
  appointment: Appointment;
  actions: readonly Action[];
}

/** What can be done with an appointment of the board. */
export function VisitActions({ id, appointment, actions }: VisitActionsProps) {
  const { t } = useTranslation('staff');
  const [open, setOpen] = useState<Action | null>(null);
  const name = participant(appointment, 'PATIENT')?.displayName ?? '';
  const close = () => setOpen(null);
  const dialog = (action: Action) => ({
    appointment,
    as: 'staff' as const,
    isOpen: open === action,
    onClose: close,
  });

  return (
    <div id={id} className={styles.actions}>
      {appointment.reason !== '' && (
        <p className={styles.reason}>{t('board.reason', { reason: appointment.reason })}</p>
      )}
      {actions.map((action) =>
        action === 'confirm' ? (
          <ConfirmButton key={action} appointment={appointment} />
        ) : (
          <Button
            key={action}
            aria-label={t(`action.${action}Of`, { name })}
            onClick={() => setOpen(action)}
          >
            {t(`action.${action}`)}
          </Button>
        ),
      )}
      <LinkButton variant="quiet" to={`/appointments/${appointment.id}`}>
        {t('action.details')}
      </LinkButton>
      <DeclineDialog {...dialog('decline')} />
      <CancelDialog {...dialog('cancel')} />
      <MoveDialog {...dialog('move')} />
      <Suspense>
        {open === 'complete' && <CompleteDialog appointment={appointment} onClose={close} />}
        {open === 'noShow' && <NoShowDialog appointment={appointment} onClose={close} />}
      </Suspense>
    </div>
  );
}
