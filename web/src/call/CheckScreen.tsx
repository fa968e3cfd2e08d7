import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';

import { DeviceCheck } from '../devices/DeviceCheck';
import { layout } from '../ui';
import styles from './CheckScreen.module.css';
import { useCallView } from './view';

/** Before the call: camera and microphone. */
export function CheckScreen() {
  const { t } = useTranslation('call');
  const { engine, snapshot, others, close } = useCallView();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <div className={styles.page}>
      <h1 ref={heading} tabIndex={-1}>
        {t('check.title')}
      </h1>
      <p className={layout.quiet}>{t('check.lead', { name: others })}</p>
      <DeviceCheck
        joinLabel={t('check.join')}
        busy={snapshot.phase.at === 'joining'}
        onReady={(choice) => engine.ready(choice)}
        onCancel={close}
      />
    </div>
  );
}
