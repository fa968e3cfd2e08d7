import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import type { Change } from '../api/client';
import { OvertakenNotice } from '../appointments/OvertakenNotice';
import { useChange } from '../appointments/useChange';
import { Button, FormError, layout, TextField } from '../ui';
import { Dialog } from '../ui/Dialog';

const NOTE_MAX = 2000;

export interface NoteDialogProps {
  title: string;
  appointment: Appointment;
  /** What the button says, and does with the note. */
  action: string;
  change: (to: Change, note: string) => Promise<Appointment>;
  isReady?: boolean;
  onDone: () => void;
  onClose: () => void;
  children: ReactNode;
}

/** A change of an appointment that is made once a note was asked for. */
export function NoteDialog(props: NoteDialogProps) {
  const { title, appointment, action, change, isReady = true, onDone, onClose, children } = props;
  const { t } = useTranslation('doctor');
  const { t: common } = useTranslation('common');
  const [note, setNote] = useState('');
  const sending = useChange(appointment, change, () => {
    onDone();
    onClose();
  });

  return (
    <Dialog
      title={title}
      isOpen
      onClose={onClose}
      footer={
        <>
          <Button
            variant="primary"
            busy={sending.busy}
            disabled={!isReady}
            onClick={() => sending.send(note.trim())}
          >
            {action}
          </Button>
          <Button onClick={onClose}>{common('cancel')}</Button>
        </>
      }
    >
      <div className={layout.stack}>
        {children}
        <TextField
          multiline
          label={t('note.label')}
          description={t('note.help')}
          value={note}
          maxLength={NOTE_MAX}
          rows={3}
          onChange={(event) => setNote(event.target.value)}
        />
        <OvertakenNotice overtaken={sending.overtaken} />
        <FormError error={sending.error} />
      </div>
    </Dialog>
  );
}
