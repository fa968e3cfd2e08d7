import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { type Appointment, isProblem } from '../api';
import { queries } from '../app/queries';
import { client } from '../app/services';
import { useSession } from '../app/session';
import { timeSpent } from '../time/relative';
import { Button, FormError, layout, Notice, TextField, toast } from '../ui';
import { Dialog } from '../ui/Dialog';
import { OvertakenNotice } from './OvertakenNotice';
import { type As, others } from './people';
import { useChange } from './useChange';
import { When } from './When';

export interface AppointmentDialogProps {
  appointment: Appointment;
  as: As;
  isOpen: boolean;
  onClose: () => void;
}

const NOTE_MAX = 2000;

/** Calls an appointment off. The server's rules decide; the clinic's notice is said beforehand. */
export function CancelDialog(props: AppointmentDialogProps) {
  const { appointment, as, isOpen, onClose } = props;
  const { t } = useTranslation('appointments');
  const [note, setNote] = useState('');
  const change = useChange(appointment, client.cancel, () => {
    toast(t('cancel.done'), { tone: 'good' });
    onClose();
  });
  return (
    <Dialog
      role="alertdialog"
      title={t('cancel.title')}
      isOpen={isOpen}
      onClose={onClose}
      footer={
        <>
          <Button variant="danger" busy={change.busy} onClick={() => change.send(note.trim())}>
            {t('action.cancel')}
          </Button>
          <Button onClick={onClose}>{t('action.keep')}</Button>
        </>
      }
    >
      <div className={layout.stack}>
        <When appointment={appointment} />
        <p>
          {others(appointment, as)
            .map(({ displayName }) => t('cancel.tells', { name: displayName }))
            .join(' ')}{' '}
          {t('cancel.final')}
        </p>
        {as === 'patient' && <CancellationNotice />}
        <TextField
          multiline
          label={t('cancel.reason')}
          description={t('cancel.reasonHelp')}
          maxLength={NOTE_MAX}
          rows={3}
          value={note}
          onChange={(event) => setNote(event.target.value)}
        />
        <OvertakenNotice overtaken={change.overtaken} />
        {isProblem(change.error, 'forbidden') && as === 'patient' ? (
          <Notice tone="bad">{t('cancel.tooLate')}</Notice>
        ) : (
          <FormError error={change.error} />
        )}
      </div>
    </Dialog>
  );
}

/** How long before the start patients may still cancel here, where the clinic has such a rule. */
function CancellationNotice() {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  const { data: clinic } = useQuery(queries.clinic());
  const seconds = clinic?.policy.cancellationNotice ?? 0;
  if (seconds === 0) return null;
  return <p>{t('cancel.notice', { duration: timeSpent(seconds * 1000, viewer) })}</p>;
}
