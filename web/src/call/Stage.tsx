import { RoomAudioRenderer, RoomContext } from '@livekit/components-react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { layout, Spinner, useOnline } from '../ui';
import { ControlsBar } from './ControlsBar';
import { useOthers } from './hooks';
import styles from './Stage.module.css';
import { StageNotices } from './StageNotices';
import { statusOf } from './status';
import { StatusBar } from './StatusBar';
import { Tiles } from './Tiles';
import { useCallView } from './view';

/** The call: who is in it, how it stands, and the controls. It stays while the way back is looked for. */
export function Stage() {
  const { t } = useTranslation('call');
  const { snapshot, others: name } = useCallView();
  const { phase, room, isUndecryptable } = snapshot;
  const others = useOthers(room);
  const online = useOnline();
  const [met, setMet] = useState(false);
  if (others > 0 && !met) setMet(true);
  const status = statusOf(phase, { others, met, online });

  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);

  return (
    <section className={styles.stage} data-theme="dark" data-status={status}>
      <h1 ref={heading} tabIndex={-1} className={layout.hidden}>
        {t('title', { name })}
      </h1>
      <StatusBar status={status} />
      <div className={styles.pictures}>
        {room && status !== 'lost' ? (
          <RoomContext.Provider value={room}>
            <Tiles />
            <RoomAudioRenderer volume={isUndecryptable ? 0 : 1} />
          </RoomContext.Provider>
        ) : (
          <div className={styles.away}>
            <Spinner label={t(status === 'lost' ? 'away' : 'status.connecting')} />
          </div>
        )}
      </div>
      <StageNotices room={room} />
      <ControlsBar />
    </section>
  );
}
