import { useTranslation } from 'react-i18next';

import { DeviceSelect } from '../devices/DeviceSelect';
import { RadioCards, Switch } from '../ui';
import { Dialog } from '../ui/Dialog';
import { QUALITIES } from './quality';
import { useCallView } from './view';

export interface SettingsDialogProps {
  shortcuts: boolean;
  onShortcuts: (on: boolean) => void;
  onClose: () => void;
}

/** Devices, quality, how the call is kept from others, keys. */
export function SettingsDialog({ shortcuts, onShortcuts, onClose }: SettingsDialogProps) {
  const { t } = useTranslation('call');
  const { engine, snapshot } = useCallView();
  const { choice, quality, isEncrypted } = snapshot;
  const { media } = engine;
  return (
    <Dialog title={t('settings.title')} isOpen onClose={onClose}>
      <DeviceSelect
        kind="audioinput"
        value={choice.audioInputId}
        onChange={(id) => void media.setDevice('audioinput', id)}
      />
      <DeviceSelect
        kind="videoinput"
        value={choice.videoInputId}
        onChange={(id) => void media.setDevice('videoinput', id)}
      />
      <DeviceSelect
        kind="audiooutput"
        value={choice.audioOutputId}
        onChange={(id) => void media.setDevice('audiooutput', id)}
      />
      <RadioCards
        legend={t('settings.quality')}
        options={QUALITIES.map((id) => ({
          id,
          label: t(`quality.${id}.label`),
          description: t(`quality.${id}.text`),
        }))}
        value={quality}
        onChange={(id) => void media.setQuality(id)}
      />
      <h3>{t('encryption.title')}</h3>
      <p>{t(isEncrypted ? 'encryption.explained' : 'encryption.explainedOff')}</p>
      <Switch
        label={t('settings.shortcuts')}
        description={t('settings.shortcutsHelp')}
        checked={shortcuts}
        onChange={onShortcuts}
      />
    </Dialog>
  );
}
