import {
  CalendarCheck,
  CalendarX,
  Check,
  Clock,
  DoorOpen,
  Hourglass,
  LogOut,
  TriangleAlert,
  UserX,
  Video,
} from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { Badge, type Tone } from '../ui';
import type { BoardKind } from './board-state';

const LOOKS: Record<BoardKind, { tone: Tone; Icon: typeof Check }> = {
  requested: { tone: 'warn', Icon: Clock },
  confirmed: { tone: 'neutral', Icon: CalendarCheck },
  soon: { tone: 'info', Icon: DoorOpen },
  open: { tone: 'info', Icon: DoorOpen },
  waiting: { tone: 'accent', Icon: Hourglass },
  inCall: { tone: 'good', Icon: Video },
  late: { tone: 'bad', Icon: TriangleAlert },
  left: { tone: 'neutral', Icon: LogOut },
  completed: { tone: 'neutral', Icon: Check },
  noShow: { tone: 'bad', Icon: UserX },
  cancelled: { tone: 'neutral', Icon: CalendarX },
  declined: { tone: 'neutral', Icon: CalendarX },
};

export function StateBadge({ kind }: { kind: BoardKind }) {
  const { t } = useTranslation('staff');
  const { tone, Icon } = LOOKS[kind];
  return (
    <Badge tone={tone} icon={<Icon aria-hidden="true" />}>
      {t(`state.${kind}`)}
    </Badge>
  );
}
