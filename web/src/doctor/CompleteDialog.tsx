import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { client } from '../app/services';
import { participant } from '../appointments/people';
import { toast } from '../ui';
import { NoteDialog } from './NoteDialog';

/** The visit took place: the appointment is over, and its call is closed for everybody. */
export default function CompleteDialog(props: { appointment: Appointment; onClose: () => void }) {
  const { appointment, onClose } = props;
  const { t } = useTranslation('doctor');
  const name = participant(appointment, 'PATIENT')?.displayName ?? '';
  return (
    <NoteDialog
      title={t('complete.title', { name })}
      action={t('complete.action')}
      appointment={appointment}
      change={client.complete}
      onDone={() => toast(t('complete.done'), { tone: 'good' })}
      onClose={onClose}
    >
      <p>{t(appointment.status === 'CONFIRMED' ? 'complete.closes' : 'complete.corrects')}</p>
    </NoteDialog>
  );
}
