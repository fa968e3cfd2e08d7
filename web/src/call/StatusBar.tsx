import { Clock, LockKeyhole, LockKeyholeOpen } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { layout } from '../ui';
import styles from './Stage.module.css';
import type { Status } from './status';
import { useMinutesLeft } from './time-left';
import { useCallView } from './view';

/** How the call stands, in words that are also said; how well it is kept; the time near its end. */
export function StatusBar({ status }: { status: Status }) {
  const { t } = useTranslation('call');
  const { snapshot, others } = useCallView();
  const minutes = useMinutesLeft(snapshot.closesAt);
  const Lock = snapshot.isEncrypted ? LockKeyhole : LockKeyholeOpen;
  return (
    <header className={styles.status}>
      <p role="status" className={styles.words}>
        {t(`status.${status}`, { name: others })}
      </p>
      <p className={styles.lock}>
        <Lock aria-hidden="true" />
        <span>{t(snapshot.isEncrypted ? 'encryption.on' : 'encryption.off')}</span>
      </p>
      {/* Said once, when it appears; the minutes that follow are only seen. */}
      <div role="status" className={layout.hidden}>
        {minutes !== null && t('timeLeft.soon')}
      </div>
      {minutes !== null && (
        <p className={styles.time}>
          <Clock aria-hidden="true" />
          {minutes > 0 ? t('timeLeft.minutes', { count: minutes }) : t('timeLeft.over')}
        </p>
      )}
    </header>
  );
}
