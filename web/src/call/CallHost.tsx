// The call itself: a chunk of its own, loaded when the first call is opened.

import { useQuery } from '@tanstack/react-query';
import { useEffect, useEffectEvent, useState, useSyncExternalStore } from 'react';
import { Dialog, Modal, ModalOverlay } from 'react-aria-components';
import { useTranslation } from 'react-i18next';

import { useNotice } from '../app/live';
import { queries } from '../app/queries';
import { client } from '../app/services';
import styles from './CallHost.module.css';
import { CallEngine } from './engine';
import { useWakeLock } from './hooks';
import { LeaveDialog } from './LeaveDialog';
import { canEncrypt } from './line';
import { isLive, isUnderWay } from './phases';
import { Screens } from './Screens';
import { CallViewContext, useNames } from './view';

export interface CallHostProps {
  appointmentId: string;
  as: 'patient' | 'doctor';
  /** Goes up each time somebody wanted to leave by the button "back". */
  leaveAsked: number;
  onUnderWay: (isUnderWay: boolean) => void;
  onClose: () => void;
}

/** Covers the app with the call. Escape does not leave it, and the page behind is out of reach. */
export default function CallHost(props: CallHostProps) {
  const { appointmentId, as, leaveAsked, onUnderWay, onClose } = props;
  const { t } = useTranslation('call');
  const [engine] = useState(() => new CallEngine({ client, appointmentId, as }));
  const snapshot = useSyncExternalStore(engine.subscribe, () => engine.snapshot);
  const names = useNames(appointmentId);
  const underWay = isUnderWay(snapshot.phase);
  useEngine(engine);
  useWakeLock(isLive(snapshot.phase));
  useEncryptionCheck(engine);

  const tell = useEffectEvent(onUnderWay);
  useEffect(() => {
    tell(underWay);
    return () => tell(false);
  }, [underWay]);

  // While nothing is under way, "back" has closed the overlay already.
  const [answered, setAnswered] = useState(leaveAsked);
  const isAsking = underWay && leaveAsked !== answered;

  return (
    <CallViewContext value={{ engine, snapshot, appointmentId, as, ...names, close: onClose }}>
      <ModalOverlay isOpen isKeyboardDismissDisabled className={styles.overlay ?? ''}>
        <Modal className={styles.modal ?? ''}>
          <Dialog aria-label={t('title', { name: names.others })} className={styles.dialog ?? ''}>
            <Screens />
            <LeaveDialog
              isOpen={isAsking}
              onClose={() => setAnswered(leaveAsked)}
              onLeave={() => engine.happen({ type: 'leave' })}
            />
          </Dialog>
        </Modal>
      </ModalOverlay>
    </CallViewContext>
  );
}

/** Keeps the engine alive, and tells it what the clinic and the browser tell the page. */
function useEngine(engine: CallEngine): void {
  useNotice((notice) => engine.hear(notice));
  useEffect(() => {
    engine.start();
    const hurry = () => engine.hurry();
    const seen = () => {
      if (document.visibilityState !== 'visible') return;
      engine.hurry();
      void engine.look();
    };
    window.addEventListener('online', hurry);
    window.addEventListener('pageshow', hurry);
    document.addEventListener('visibilitychange', seen);
    return () => {
      window.removeEventListener('online', hurry);
      window.removeEventListener('pageshow', hurry);
      document.removeEventListener('visibilitychange', seen);
      engine.stop();
    };
  }, [engine]);
}

/** Says before anything else that this browser cannot take part in an encrypted call. */
function useEncryptionCheck(engine: CallEngine): void {
  const { data: clinic } = useQuery(queries.clinic());
  const mustEncrypt = clinic?.policy.endToEndEncryption ?? false;
  useEffect(() => {
    if (mustEncrypt && !canEncrypt()) engine.happen({ type: 'cannotEncrypt' });
  }, [engine, mustEncrypt]);
}
