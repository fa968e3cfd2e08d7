import { useEffect, useState, useSyncExternalStore } from 'react';

import { type DeviceChoice, EVERYTHING_ON, rememberedChoice } from './choice';
import { createInputs, type Inputs, type InputsState, type InputState } from './inputs';

/** Camera and microphone for as long as the component is there, begun as the person once chose. */
export function useInputs(): [Inputs, InputsState] {
  const [inputs] = useState(() => createInputs(rememberedChoice() ?? EVERYTHING_ON));
  useEffect(() => inputs.open(), [inputs]);
  return [inputs, useSyncExternalStore(inputs.subscribe, inputs.snapshot)];
}

/** What can be taken into a call now: what is wanted less what does not work. */
export function usableChoice({ choice, audio, video }: InputsState): DeviceChoice {
  return { ...choice, audio: works(audio), video: works(video) };
}

const works = ({ status }: InputState) => ['starting', 'on', 'paused'].includes(status);
