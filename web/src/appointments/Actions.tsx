import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { client } from '../app/services';
import { useSession } from '../app/session';
import { Button, FormError, layout, toast } from '../ui';
import { CancelDialog, DeclineDialog, MoveDialog } from './dialogs';
import { OvertakenNotice } from './OvertakenNotice';
import type { As } from './people';
import { useChange } from './useChange';

export type Action = 'confirm' | 'decline' | 'move' | 'cancel';

/** What the rules let somebody do with an appointment as it is; the server has the last word. */
export function actionsOf({ status, join }: Appointment, as: As): Action[] {
  if (status === 'REQUESTED')
    return as === 'patient' ? ['cancel'] : ['confirm', 'decline', 'cancel'];
  if (status !== 'CONFIRMED' || join.decision === 'TOO_LATE') return [];
  return ['move', 'cancel'];
}

type Dialog = Exclude<Action, 'confirm'>;

/** The buttons for what can be done with an appointment, and their dialogs. */
export function Actions({ appointment, as }: { appointment: Appointment; as: As }) {
  const { t } = useTranslation('appointments');
  const { role } = useSession().person;
  const [open, setOpen] = useState<Dialog | null>(null);
  const actions = role === 'ADMIN' ? [] : actionsOf(appointment, as);
  const dialog = (which: Dialog) => ({
    appointment,
    as,
    isOpen: open === which,
    onClose: () => setOpen(null),
  });
  return (
    <div className={layout.stack}>
      <div
        role="group"
        aria-label={t('page.actions')}
        className={layout.row}
        hidden={!actions.length}
      >
        {actions.includes('confirm') && <ConfirmAction appointment={appointment} />}
        {(['decline', 'move', 'cancel'] as const)
          .filter((action) => actions.includes(action))
          .map((action) => (
            <Button key={action} onClick={() => setOpen(action)}>
              {t(`action.${action}`)}
            </Button>
          ))}
      </div>
      <DeclineDialog {...dialog('decline')} />
      <MoveDialog {...dialog('move')} />
      <CancelDialog {...dialog('cancel')} />
    </div>
  );
}

function ConfirmAction({ appointment }: { appointment: Appointment }) {
  const { t } = useTranslation('appointments');
  const change = useChange<undefined>(
    appointment,
    (to) => client.confirm(to),
    () => toast(t('confirm.done'), { tone: 'good' }),
  );
  return (
    <>
      <Button variant="primary" busy={change.busy} onClick={() => change.send(undefined)}>
        {t('action.confirm')}
      </Button>
      <OvertakenNotice overtaken={change.overtaken} />
      <FormError error={change.error} />
    </>
  );
}
