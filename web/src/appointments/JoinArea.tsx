import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';

import { announce, layout } from '../ui';
import styles from './JoinArea.module.css';
import { JoinButton, type JoinProps } from './JoinButton';
import { JoinStatus } from './JoinStatus';
import { joinView } from './join';
import { others } from './people';
import { useFresh } from './useFresh';

/**
 * The way into the call of one appointment, or why there is none and when there will be. It
 * follows the server, without a reload; when the way opens or closes, that is also said aloud.
 */
export function JoinArea({ appointment, as }: JoinProps) {
  const { t } = useTranslation('appointments');
  const { unsure } = useFresh(appointment);
  const isOpen = joinView(appointment, as).kind === 'open';
  const name = others(appointment, as)[0]?.displayName ?? '';
  useSayOpen(isOpen, name);
  return (
    <div className={styles.area} data-decision={appointment.join.decision}>
      <JoinButton appointment={appointment} as={as} />
      <div className={isOpen ? styles.open : styles.closed}>
        <JoinStatus appointment={appointment} as={as} />
      </div>
      <p role="status" className={`${styles.unsure} ${layout.small}`}>
        {unsure && t('join.unsure')}
      </p>
    </div>
  );
}

/** Says when the call opens or closes while the page is looked at; not how it was found. */
function useSayOpen(isOpen: boolean, name: string): void {
  const { t } = useTranslation('appointments');
  const before = useRef(isOpen);
  useEffect(() => {
    if (before.current === isOpen) return;
    before.current = isOpen;
    announce(t(isOpen ? 'join.openedNow' : 'join.closedNow', { name }));
  }, [isOpen, name, t]);
}
