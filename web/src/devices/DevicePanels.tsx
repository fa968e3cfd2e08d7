import { Mic, MicOff, Video, VideoOff } from 'lucide-react';
import { useRef } from 'react';
import { useTranslation } from 'react-i18next';

import { Button, Card, layout } from '../ui';
import { ConnectionCheck } from './ConnectionCheck';
import styles from './DevicePanels.module.css';
import { DeviceSelect } from './DeviceSelect';
import { InputNotices } from './InputNotices';
import type { Inputs, InputsState } from './inputs';
import { MicrophoneCheck } from './MicrophoneCheck';
import { Preview } from './Preview';
import { SpeakerCheck } from './SpeakerCheck';
import { useFocusKept } from './useFocusKept';

/** Camera, microphone, loudspeaker and connection, each with its choice and its help. */
export function DevicePanels({ inputs, state }: { inputs: Inputs; state: InputsState }) {
  const { t } = useTranslation('devices');
  const panels = useRef<HTMLDivElement>(null);
  const preview = useRef<HTMLDivElement>(null);
  useFocusKept(panels);
  const { choice } = state;

  /** The pressed button goes away with its notice; the focus goes to what comes of it. */
  function ask() {
    inputs.ask();
    preview.current?.focus();
  }

  const camera = videoId(state);
  return (
    <div ref={panels} className={styles.panels}>
      <Card heading={t('input.heading')}>
        <Preview ref={preview} input={state.video} />
        <div className={layout.row}>
          <Button
            icon={choice.video ? <VideoOff aria-hidden="true" /> : <Video aria-hidden="true" />}
            onClick={() => inputs.choose({ video: !choice.video })}
          >
            {t(choice.video ? 'input.turnCameraOff' : 'input.turnCameraOn')}
          </Button>
          <Button
            icon={choice.audio ? <MicOff aria-hidden="true" /> : <Mic aria-hidden="true" />}
            onClick={() => inputs.choose({ audio: !choice.audio })}
          >
            {t(choice.audio ? 'input.turnMicrophoneOff' : 'input.turnMicrophoneOn')}
          </Button>
        </div>
        <InputNotices state={state} onAsk={ask} />
        <DeviceSelect
          kind="videoinput"
          value={camera}
          onChange={(videoInputId) => inputs.choose({ videoInputId })}
        />
      </Card>
      <div className={layout.stack}>
        <Card heading={t('microphone.heading')}>
          <MicrophoneCheck input={state.audio} />
          <DeviceSelect
            kind="audioinput"
            value={choice.audioInputId}
            onChange={(audioInputId) => inputs.choose({ audioInputId })}
          />
        </Card>
        <Card heading={t('speaker.heading')}>
          <SpeakerCheck key={choice.audioOutputId} outputId={choice.audioOutputId} />
          <DeviceSelect
            kind="audiooutput"
            value={choice.audioOutputId}
            onChange={(audioOutputId) => inputs.choose({ audioOutputId })}
          />
        </Card>
        <Card heading={t('connection.heading')}>
          <ConnectionCheck state={state} onAudioOnly={() => inputs.choose({ video: false })} />
        </Card>
      </div>
    </div>
  );
}

/** The camera that is on is the one to name, whoever chose it. */
function videoId({ choice, video }: InputsState): string | undefined {
  return video.status === 'on' ? video.track.getSettings().deviceId : choice.videoInputId;
}
