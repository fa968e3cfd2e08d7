import { useMutation } from '@tanstack/react-query';
import {
  Maximize,
  Mic,
  MicOff,
  Minimize,
  MonitorUp,
  MonitorX,
  PhoneOff,
  Settings,
  UserX,
  Video,
  VideoOff,
} from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';

import styles from './Controls.module.css';
import { EndDialog } from './EndDialog';
import { useFullscreen, useKeys } from './hooks';
import { maySend } from './permissions';
import { SettingsDialog } from './SettingsDialog';
import { useShortcuts } from './shortcuts';
import { useCallView } from './view';

interface ControlProps {
  label: string;
  icon: ReactNode;
  onPress: () => void;
  tone?: 'off' | 'leave';
  keys?: string;
  wideOnly?: boolean;
}

function Control({ label, icon, onPress, tone, keys, wideOnly = false }: ControlProps) {
  return (
    <button
      type="button"
      className={styles.control}
      data-tone={tone}
      data-wide-only={wideOnly}
      aria-keyshortcuts={keys}
      onClick={onPress}
    >
      {icon}
      <span>{label}</span>
    </button>
  );
}

/** Always in reach: it never hides. */
export function ControlsBar() {
  const { t } = useTranslation('call');
  const { engine, snapshot, as } = useCallView();
  const { choice, quality, isSharing, room } = snapshot;
  const [open, setOpen] = useState<'settings' | 'end' | null>(null);
  const [shortcuts, setShortcuts] = useShortcuts();
  const fullscreen = useFullscreen();
  const { media } = engine;
  const camera = choice.video && quality !== 'audio';
  const toggleMicrophone = useMutation({ mutationFn: () => media.setMicrophone(!choice.audio) });
  const toggleCamera = useMutation({ mutationFn: () => media.setCamera(!camera) });
  useKeys(
    { m: () => toggleMicrophone.mutate(), v: () => toggleCamera.mutate() },
    shortcuts && open === null,
  );

  return (
    <div role="group" aria-label={t('controls.label')} className={styles.bar}>
      <Control
        label={t(choice.audio ? 'controls.mute' : 'controls.unmute')}
        icon={choice.audio ? <Mic aria-hidden="true" /> : <MicOff aria-hidden="true" />}
        tone={choice.audio ? undefined : 'off'}
        keys={shortcuts ? 'M' : undefined}
        onPress={() => toggleMicrophone.mutate()}
      />
      <Control
        label={t(camera ? 'controls.cameraOff' : 'controls.cameraOn')}
        icon={camera ? <Video aria-hidden="true" /> : <VideoOff aria-hidden="true" />}
        tone={camera ? undefined : 'off'}
        keys={shortcuts ? 'V' : undefined}
        onPress={() => toggleCamera.mutate()}
      />
      {room && maySend(room, 'screen') && (
        <Control
          label={t(isSharing ? 'controls.unshare' : 'controls.share')}
          icon={isSharing ? <MonitorX aria-hidden="true" /> : <MonitorUp aria-hidden="true" />}
          onPress={() => void media.setScreen(!isSharing)}
        />
      )}
      <Control
        label={t('controls.settings')}
        icon={<Settings aria-hidden="true" />}
        onPress={() => setOpen('settings')}
      />
      {fullscreen.can && (
        <Control
          wideOnly
          label={t(fullscreen.isOn ? 'controls.smaller' : 'controls.fullscreen')}
          icon={fullscreen.isOn ? <Minimize aria-hidden="true" /> : <Maximize aria-hidden="true" />}
          onPress={fullscreen.toggle}
        />
      )}
      {as === 'doctor' && (
        <Control
          label={t('controls.end')}
          icon={<UserX aria-hidden="true" />}
          onPress={() => setOpen('end')}
        />
      )}
      <Control
        label={t('leave')}
        icon={<PhoneOff aria-hidden="true" />}
        tone="leave"
        onPress={() => engine.happen({ type: 'leave' })}
      />
      {open === 'settings' && (
        <SettingsDialog
          shortcuts={shortcuts}
          onShortcuts={setShortcuts}
          onClose={() => setOpen(null)}
        />
      )}
      {open === 'end' && <EndDialog onClose={() => setOpen(null)} />}
    </div>
  );
}
