import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { Appointment, NoShow } from '../api';
import { client } from '../app/services';
import { participant } from '../appointments/people';
import { NoteDialog } from '../doctor/NoteDialog';
import { RadioCards, toast } from '../ui';

const SIDES = ['PATIENT', 'DOCTOR', 'BOTH', 'MISSED'] as const satisfies readonly NoShow[];

/** The visit did not take place, and who did not come. */
export default function NoShowDialog(props: { appointment: Appointment; onClose: () => void }) {
  const { appointment, onClose } = props;
  const { t } = useTranslation('staff');
  const [side, setSide] = useState<(typeof SIDES)[number] | null>(null);
  const names = {
    patient: participant(appointment, 'PATIENT')?.displayName ?? '',
    doctor: participant(appointment, 'DOCTOR')?.displayName ?? '',
  };

  return (
    <NoteDialog
      title={t('noShow.title')}
      appointment={appointment}
      action={t('noShow.action')}
      isReady={side !== null}
      change={(to, note) => client.noShow(to, side ?? 'BOTH', note)}
      onDone={() => toast(t('noShow.done'), { tone: 'good' })}
      onClose={onClose}
    >
      <RadioCards
        legend={t('noShow.who')}
        options={SIDES.map((id) => ({ id, label: t(`noShow.side.${id}`, names) }))}
        value={side}
        onChange={setSide}
      />
    </NoteDialog>
  );
}
