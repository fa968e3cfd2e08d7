import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { client } from '../app/services';
import { Button, FormError, layout, TextField, toast } from '../ui';
import { Dialog } from '../ui/Dialog';
import type { AppointmentDialogProps } from './CancelDialog';
import { OvertakenNotice } from './OvertakenNotice';
import { useChange } from './useChange';
import { When } from './When';

const NOTE_MAX = 2000;

/** Refuses a request, with a word to the patient. */
export function DeclineDialog(props: AppointmentDialogProps) {
  const { appointment, isOpen, onClose } = props;
  const { t } = useTranslation('appointments');
  const [note, setNote] = useState('');
  const change = useChange(appointment, client.decline, () => {
    toast(t('decline.done'), { tone: 'good' });
    onClose();
  });
  return (
    <Dialog
      role="alertdialog"
      title={t('decline.title')}
      isOpen={isOpen}
      onClose={onClose}
      footer={
        <>
          <Button variant="danger" busy={change.busy} onClick={() => change.send(note.trim())}>
            {t('decline.action')}
          </Button>
          <Button onClick={onClose}>{t('action.keep')}</Button>
        </>
      }
    >
      <div className={layout.stack}>
        <When appointment={appointment} />
        <TextField
          multiline
          label={t('decline.note')}
          description={t('decline.noteHelp')}
          maxLength={NOTE_MAX}
          rows={3}
          value={note}
          onChange={(event) => setNote(event.target.value)}
        />
        <OvertakenNotice overtaken={change.overtaken} />
        <FormError error={change.error} />
      </div>
    </Dialog>
  );
}
