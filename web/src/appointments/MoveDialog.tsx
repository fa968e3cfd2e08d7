import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { isProblem, type Slot } from '../api';
import { queries } from '../app/queries';
import { client } from '../app/services';
import { useSession } from '../app/session';
import { clockTime, longDay } from '../time/format';
import { Button, FormError, layout, Notice, toast } from '../ui';
import { Dialog } from '../ui/Dialog';
import type { AppointmentDialogProps } from './CancelDialog';
import { OvertakenNotice } from './OvertakenNotice';
import { participant } from './people';
import { SlotPicker } from './SlotPicker';
import { useChange } from './useChange';
import { useOwnOverlap } from './useOwnOverlap';

/** Moves an appointment to another free time of its doctor. */
export function MoveDialog({ appointment, as, isOpen, onClose }: AppointmentDialogProps) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  const { data: clinic } = useQuery(queries.clinic());
  const [slot, setSlot] = useState<Slot | null>(null);
  const [missing, setMissing] = useState(false);
  const change = useChange<Slot>(
    appointment,
    (to, { startsAt }) => client.move(to, { startsAt }),
    (told) => {
      toast(t(told.status === 'REQUESTED' ? 'move.doneAgain' : 'move.done'), { tone: 'good' });
      onClose();
    },
  );
  const again = as === 'patient' && clinic?.policy.rescheduleNeedsConfirmation;
  return (
    <Dialog
      title={t('move.title')}
      isOpen={isOpen}
      onClose={onClose}
      footer={
        <>
          <Button
            variant="primary"
            busy={change.busy}
            onClick={() => (slot ? change.send(slot) : setMissing(true))}
          >
            {slot
              ? t('move.actionTo', {
                  day: longDay(slot.startsAt, viewer),
                  time: clockTime(slot.startsAt, viewer),
                })
              : t('move.action')}
          </Button>
          <Button onClick={onClose}>{t('action.keep')}</Button>
        </>
      }
    >
      <div className={layout.stack}>
        <p>
          {t('move.now', {
            day: longDay(appointment.startsAt, viewer),
            time: clockTime(appointment.startsAt, viewer),
          })}
        </p>
        {again && <Notice>{t('move.policy')}</Notice>}
        <SlotPicker
          doctorId={participant(appointment, 'DOCTOR')?.personId ?? ''}
          except={appointment.startsAt}
          value={slot}
          onChange={(next) => {
            setSlot(next);
            setMissing(false);
            change.reset();
          }}
        />
        {missing && <Notice tone="bad">{t('move.pick')}</Notice>}
        <OvertakenNotice overtaken={change.overtaken} />
        <MoveError error={change.error} appointment={appointment} as={as} slot={slot} />
      </div>
    </Dialog>
  );
}

interface MoveErrorProps extends Pick<AppointmentDialogProps, 'appointment' | 'as'> {
  error: unknown;
  slot: Slot | null;
}

function MoveError({ error, appointment, as, slot }: MoveErrorProps) {
  const { t } = useTranslation('appointments');
  const taken = isProblem(error, 'slot-taken');
  const mine = useOwnOverlap(taken && as === 'patient' ? slot : null, appointment.id);
  if (!taken) return <FormError error={error} />;
  if (as !== 'patient') return <Notice tone="bad">{t('move.takenEither')}</Notice>;
  return <Notice tone="bad">{t(mine ? 'move.busy' : 'move.taken')}</Notice>;
}
