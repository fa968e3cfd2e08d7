import { WifiOff } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { useOnline } from '../ui';
import styles from './ConnectionBanner.module.css';
import { useNoticesState } from './live';

/** A stream that comes back sooner than this was not worth a word. */
const SAID_AFTER_MS = 4000;

/** Says that what is shown may be old, as long as nobody tells this page of changes. */
export function ConnectionBanner() {
  const { t } = useTranslation('common');
  const online = useOnline();
  const lost = useNoticesState() === 'lost';
  const [longLost, setLongLost] = useState(false);

  useEffect(() => {
    if (!lost) return;
    const timer = setTimeout(() => setLongLost(true), SAID_AFTER_MS);
    return () => {
      clearTimeout(timer);
      setLongLost(false);
    };
  }, [lost]);

  const text = online ? (longLost ? t('connection.lost') : '') : t('connection.offline');
  // The region is there before its text, so that the text is said.
  return (
    <div role="status">
      {text && (
        <p className={styles.banner}>
          <WifiOff aria-hidden="true" />
          {text}
        </p>
      )}
    </div>
  );
}
