import { useTranslation } from 'react-i18next';

import layout from './layout.module.css';
import styles from './Loading.module.css';

/** Grey lines where text will stand. `lines` as many as will come. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  const { t } = useTranslation('common');
  return (
    <div role="status" className={styles.skeleton}>
      <span className={layout.hidden}>{t('loading')}</span>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} aria-hidden="true" className={styles.line} />
      ))}
    </div>
  );
}

/** For waits of which nobody knows how they will look when they end. */
export function Spinner({ label }: { label?: string }) {
  const { t } = useTranslation('common');
  return (
    <div role="status" className={styles.wait}>
      <span aria-hidden="true" className={styles.spinner} />
      <span>{label ?? t('loading')}</span>
    </div>
  );
}
