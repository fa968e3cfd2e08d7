import { useEffect, useId, useRef } from 'react';
import { useTranslation } from 'react-i18next';

import { Button, layout } from '../ui';
import { type DeviceChoice, rememberChoice } from './choice';
import styles from './DeviceCheck.module.css';
import { DevicePanels } from './DevicePanels';
import { Remember, useRemember } from './Remember';
import { usableChoice, useInputs } from './useInputs';

export interface DeviceCheckProps {
  /** Words of the button that joins. */
  joinLabel: string;
  /** The devices are let go when this is called; the call takes them. */
  onReady: (choice: DeviceChoice) => void;
  onCancel: () => void;
  /** The call is being joined. When that ends and the check is still there, it goes on. */
  busy?: boolean;
}

/** What comes before a call: everything can be tried, and nothing has to work in order to join. */
export function DeviceCheck({ joinLabel, onReady, onCancel, busy = false }: DeviceCheckProps) {
  const { t } = useTranslation('devices');
  const [inputs, state] = useInputs();
  const [remember, setRemember] = useRemember();
  const resultId = useId();
  const wasBusy = useRef(false);
  const usable = usableChoice(state);

  useEffect(() => {
    if (wasBusy.current && !busy) inputs.release();
    wasBusy.current = busy;
  }, [busy, inputs]);

  function join() {
    // Kept is what the person wants; handed over is what of it works now.
    if (remember) rememberChoice(state.choice);
    inputs.hold();
    onReady(usable);
  }

  return (
    <div className={`${layout.stack} ${styles.check}`}>
      <DevicePanels inputs={inputs} state={state} />
      <Remember checked={remember} onChange={setRemember} />
      <div className={styles.bar}>
        <p id={resultId} role="status" className={styles.result}>
          {t(`join.${heardAndSeen(usable)}`)}
        </p>
        <div className={layout.row}>
          <Button variant="call" busy={busy} aria-describedby={resultId} onClick={join}>
            {joinLabel}
          </Button>
          <Button variant="quiet" onClick={onCancel}>
            {t('join.cancel')}
          </Button>
        </div>
      </div>
    </div>
  );
}

function heardAndSeen({ audio, video }: DeviceChoice) {
  if (audio) return video ? 'both' : 'audio';
  return video ? 'video' : 'none';
}
