import { useTranslation } from 'react-i18next';

import { Select } from '../ui';
import { canChooseOutput, useDeviceList } from './device-list';

export interface DeviceSelectProps {
  kind: MediaDeviceKind;
  /** Id of the device; undefined: what the browser takes by itself. */
  value: string | undefined;
  onChange: (deviceId: string | undefined) => void;
}

const AUTOMATIC = '';
/** Chrome's doubles of other devices, named in its own words; "automatic" is ours. */
const DOUBLES = ['default', 'communications'];

const UNNAMED = {
  audioinput: 'select.unnamedAudioinput',
  videoinput: 'select.unnamedVideoinput',
  audiooutput: 'select.unnamedAudiooutput',
} as const;

/** The devices of a kind to choose from; nothing where there is no choice to be had. */
export function DeviceSelect({ kind, value, onChange }: DeviceSelectProps) {
  const { t } = useTranslation('devices');
  const devices = useDeviceList().filter(
    (device) =>
      device.kind === kind && device.deviceId !== '' && !DOUBLES.includes(device.deviceId),
  );
  if (devices.length === 0 || (kind === 'audiooutput' && !canChooseOutput())) return null;
  const items = devices.map(({ deviceId, label }, i) => ({
    id: deviceId,
    label: label || t(UNNAMED[kind], { number: i + 1 }),
  }));
  // A camera is always one to be named. Sound follows what is set for the whole device.
  if (kind !== 'videoinput') items.unshift({ id: AUTOMATIC, label: t('select.automatic') });
  const known = items.some((item) => item.id === value);
  const chosen = known && value !== undefined ? value : (items[0]?.id ?? AUTOMATIC);
  return (
    <Select
      label={t(`select.${kind}`)}
      items={items}
      value={chosen}
      onChange={(id) => onChange(id === AUTOMATIC ? undefined : id)}
    />
  );
}
