import { useState } from 'react';

import { CheckScreen } from './CheckScreen';
import { LeavePage } from './LeavePage';
import {
  Admission,
  Elsewhere,
  Ended,
  Failed,
  Joining,
  Moved,
  Refused,
  Removed,
  Unencryptable,
} from './messages';
import { Stage } from './Stage';
import { useCallView } from './view';

/** One screen for each phase of the call. */
export function Screens() {
  const { phase } = useCallView().snapshot;
  // The check stays in place while its button is busy, so that its devices are handed over.
  const [checks, setChecks] = useState(true);
  const stays = phase.at === 'check' || (checks && phase.at === 'joining' && !phase.takeOver);
  if (stays !== checks) setChecks(stays);
  if (stays) return <CheckScreen />;
  switch (phase.at) {
    case 'joining':
      return <Joining />;
    case 'admission':
      return <Admission />;
    case 'elsewhere':
      return <Elsewhere />;
    case 'unencryptable':
      return <Unencryptable />;
    case 'inCall':
    case 'rejoining':
    case 'asking':
      return <Stage />;
    case 'left':
      return <LeavePage />;
    case 'moved':
      return <Moved />;
    case 'ended':
      return <Ended why={phase.why} />;
    case 'removed':
      return <Removed />;
    case 'refused':
      return <Refused phase={phase} />;
    case 'failed':
      return <Failed error={phase.error} />;
  }
}
