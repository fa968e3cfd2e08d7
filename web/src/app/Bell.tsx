import { Bell as BellIcon } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import styles from './Bell.module.css';

/** More than this is "99+". */
const MOST = 99;

/** The way to the notices, with how many are unread. */
export function Bell({ unread }: { unread: number }) {
  const { t, i18n } = useTranslation('common');
  const count = new Intl.NumberFormat(i18n.language);
  return (
    <Link
      to="/notices"
      className={styles.bell}
      aria-label={unread > 0 ? t('bell.unread', { count: unread }) : t('bell.label')}
      title={t('bell.label')}
    >
      <BellIcon aria-hidden="true" />
      {unread > 0 && (
        <span aria-hidden="true" className={styles.count}>
          {unread > MOST ? `${count.format(MOST)}+` : count.format(unread)}
        </span>
      )}
    </Link>
  );
}
