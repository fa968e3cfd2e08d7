import { CalendarCheck, CalendarX, Check, Clock, UserX } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { Appointment, AppointmentStatus } from '../api';
import { Badge, type Tone } from '../ui';

const LOOKS: Record<AppointmentStatus, { tone: Tone; Icon: typeof Check }> = {
  REQUESTED: { tone: 'warn', Icon: Clock },
  CONFIRMED: { tone: 'good', Icon: CalendarCheck },
  DECLINED: { tone: 'bad', Icon: CalendarX },
  CANCELLED: { tone: 'neutral', Icon: CalendarX },
  COMPLETED: { tone: 'neutral', Icon: Check },
  NO_SHOW: { tone: 'bad', Icon: UserX },
};

/** How it stands with an appointment, in a word. */
export function StatusBadge({ appointment }: { appointment: Pick<Appointment, 'status'> }) {
  const { t } = useTranslation('appointments');
  const { tone, Icon } = LOOKS[appointment.status];
  return (
    <Badge tone={tone} icon={<Icon aria-hidden="true" />}>
      {t(`status.${appointment.status}`)}
    </Badge>
  );
}
