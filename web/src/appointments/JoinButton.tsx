import { Video } from 'lucide-react';
import { useId } from 'react';
import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { useCall } from '../call/context';
import { Button, layout } from '../ui';
import { joinView } from './join';

export interface JoinProps {
  appointment: Appointment;
  as: 'patient' | 'doctor';
}

/**
 * The way into the call: there while the server says that it is open, and only then. While a call
 * is on it keeps its place and the focus, does nothing and says why.
 */
export function JoinButton({ appointment, as }: JoinProps) {
  const { t } = useTranslation('appointments');
  const call = useCall();
  const whyId = useId();
  const view = joinView(appointment, as);
  if (view.kind !== 'open') return null;
  const here = call.appointmentId === appointment.id;
  const label = view.elsewhere && !call.inCall ? t('join.move') : t(`join.${as}`);
  return (
    <div>
      <Button
        variant="call"
        icon={<Video aria-hidden="true" />}
        aria-disabled={call.inCall || undefined}
        aria-describedby={call.inCall ? whyId : undefined}
        onClick={() => {
          if (!call.inCall) call.open(appointment.id, as);
        }}
      >
        {label}
      </Button>
      {call.inCall && (
        <p id={whyId} className={layout.small}>
          {here ? t('join.inThis') : t('join.inOther')}
        </p>
      )}
    </div>
  );
}
