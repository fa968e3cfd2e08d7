import { useMutation, useQueryClient } from '@tanstack/react-query';
import { PhoneOff } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { keys } from '../app/queries';
import { client } from '../app/services';
import { useSession } from '../app/session';
import { clockTime } from '../time/format';
import { Button, FormError, layout, TextField } from '../ui';
import { Message } from './Message';
import { useCallView } from './view';

const MINUTE_MS = 60_000;

/** After somebody left by themselves: how long it was, and what is next. */
export function LeavePage() {
  const { t } = useTranslation('call');
  const { viewer } = useSession();
  const { engine, snapshot, appointment, as, others, close } = useCallView();
  const minutes = Math.floor(snapshot.spentMs / MINUTE_MS);
  const isOpen = appointment?.status === 'CONFIRMED';
  return (
    <Message
      icon={<PhoneOff />}
      title={t('left.title')}
      actions={
        <>
          <Button variant="primary" onClick={close}>
            {t('close')}
          </Button>
          {isOpen && (
            <Button onClick={() => engine.happen({ type: 'again' })}>{t('left.again')}</Button>
          )}
        </>
      }
    >
      {snapshot.spentMs > 0 && (
        <p>{minutes > 0 ? t('left.length', { count: minutes }) : t('left.short')}</p>
      )}
      <p>{t('lightsOff')}</p>
      {isOpen && (
        <p>
          {t('left.open', { time: clockTime(appointment.join.closesAt, viewer), name: others })}
        </p>
      )}
      {isOpen && as === 'doctor' && <Complete />}
    </Message>
  );
}

/** The doctor closes the visit, with a note, or leaves it open for the other to come back. */
function Complete() {
  const { t } = useTranslation('call');
  const { appointment, engine } = useCallView();
  const queryClient = useQueryClient();
  const [note, setNote] = useState('');
  const complete = useMutation({
    mutationFn: async () => {
      if (appointment) return client.complete(appointment, note.trim());
    },
    onSuccess: () => engine.happen({ type: 'completed' }),
    onSettled: () =>
      queryClient.invalidateQueries({ queryKey: keys.appointment(appointment?.id ?? '') }),
  });
  return (
    <form
      className={layout.stack}
      onSubmit={(event) => {
        event.preventDefault();
        complete.mutate();
      }}
    >
      <h2>{t('complete.title')}</h2>
      <p>{t('complete.text')}</p>
      <TextField
        multiline
        rows={3}
        maxLength={2000}
        label={t('complete.note')}
        value={note}
        onChange={(event) => setNote(event.target.value)}
      />
      <FormError error={complete.error} />
      <div>
        <Button type="submit" busy={complete.isPending}>
          {t('complete.do')}
        </Button>
      </div>
    </form>
  );
}
