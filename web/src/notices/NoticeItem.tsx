import {
  Ban,
  BellRing,
  CalendarCheck,
  CalendarClock,
  CalendarPlus,
  CalendarX,
  CheckCheck,
  Hourglass,
  Info,
  type LucideIcon,
  Video,
  VideoOff,
} from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import type { InboxEntry, NoticeType } from '../api';
import { clockTime, type Viewer } from '../time/format';
import { Badge } from '../ui';
import styles from './Notices.module.css';
import { noticeWords } from './words';

const ICONS: Partial<Record<NoticeType, LucideIcon>> = {
  'appointment.requested': CalendarPlus,
  'appointment.confirmed': CalendarCheck,
  'appointment.declined': CalendarX,
  'appointment.moved': CalendarClock,
  'appointment.cancelled': CalendarX,
  'appointment.completed': CheckCheck,
  'appointment.no_show': Ban,
  'appointment.reminder': BellRing,
  'call.available': Video,
  'call.waiting': Hourglass,
  'call.started': Video,
  'call.ended': VideoOff,
  'call.closing': Hourglass,
  'call.media_restored': Video,
};

/** One notice; all of it leads to the appointment. */
export function NoticeItem(props: { entry: InboxEntry; viewer: Viewer; isNew: boolean }) {
  const { entry, viewer, isNew } = props;
  const { t } = useTranslation('notices');
  const { title, text } = noticeWords(entry, viewer, t);
  const Icon = ICONS[entry.type] ?? Info;
  return (
    <li>
      <Link
        to={`/appointments/${entry.appointmentId}`}
        className={[styles.item, isNew && styles.new].filter(Boolean).join(' ')}
      >
        <Icon aria-hidden="true" className={styles.icon} />
        <span className={styles.text}>
          <span className={styles.title}>{title}</span>
          <span className={styles.about}>{text}</span>
        </span>
        <span className={styles.side}>
          <time dateTime={entry.occurredAt}>{clockTime(entry.occurredAt, viewer)}</time>
          {isNew && <Badge tone="accent">{t('new')}</Badge>}
        </span>
      </Link>
    </li>
  );
}
