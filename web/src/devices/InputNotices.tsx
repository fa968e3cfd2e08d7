import type { ParseKeys } from 'i18next';
import { useTranslation } from 'react-i18next';

import { Button, Notice } from '../ui';
import type { Fault, InputKind } from './faults';
import type { InputsState } from './inputs';
import { browserOf, type Help, HELP, SYSTEM_HELP, systemOf } from './permission';
import styles from './steps.module.css';

const KINDS = ['audio', 'video'] as const;
type What = InputKind | 'both';

const ALLOW = {
  audio: 'permission.allowMicrophone',
  video: 'permission.allowCamera',
  both: 'permission.allow',
} as const satisfies Record<What, ParseKeys<'devices'>>;

/** These are mended elsewhere, by another address or browser. */
const NO_SECOND_TRY: readonly Fault[] = ['insecure', 'unsupported'];

/** What stands between the person and their devices: the question of the browser, or a fault. */
export function InputNotices({ state, onAsk }: { state: InputsState; onAsk: () => void }) {
  const { t } = useTranslation('devices');
  const unasked = whatOf(KINDS.filter((kind) => state[kind].status === 'unasked'));
  return (
    <>
      {state.replaced.map((kind) => (
        <Notice key={kind} tone="info">
          <p>{t(`replaced.${kind}`)}</p>
        </Notice>
      ))}
      {unasked && (
        <Notice
          title={t('permission.title')}
          actions={
            <Button variant="primary" onClick={onAsk}>
              {t(ALLOW[unasked])}
            </Button>
          }
        >
          <p>{t('permission.text')}</p>
        </Notice>
      )}
      {faultsOf(state).map(({ fault, what }) => (
        <FaultNotice key={fault} fault={fault} what={what} onAsk={onAsk} />
      ))}
    </>
  );
}

interface FaultNoticeProps {
  fault: Fault;
  what: What;
  onAsk: () => void;
}

function FaultNotice({ fault, what, onAsk }: FaultNoticeProps) {
  const { t } = useTranslation('devices');
  const help = helpFor(fault);
  return (
    <Notice
      tone="warn"
      title={t(`fault.${fault}.title`, { what: t(`input.${what}`) })}
      actions={
        !NO_SECOND_TRY.includes(fault) && <Button onClick={onAsk}>{t('permission.again')}</Button>
      }
    >
      <p>{t(`fault.${fault}.text`)}</p>
      {help && (
        <>
          <p className={styles.way}>{t(help.title)}</p>
          <ol className={styles.steps}>
            {help.steps.map((step) => (
              <li key={step}>{t(step)}</li>
            ))}
          </ol>
        </>
      )}
    </Notice>
  );
}

function whatOf(kinds: readonly InputKind[]): What | undefined {
  return kinds.length > 1 ? 'both' : kinds[0];
}

/** One entry a fault: the same words for both need to be read once. */
function faultsOf(state: InputsState): { fault: Fault; what: What }[] {
  const faultAt = (kind: InputKind) => {
    const input = state[kind];
    return input.status === 'failed' ? input.fault : undefined;
  };
  const [audio, video] = [faultAt('audio'), faultAt('video')];
  if (audio && audio === video) return [{ fault: audio, what: 'both' }];
  return [
    ...(video ? [{ fault: video, what: 'video' as const }] : []),
    ...(audio ? [{ fault: audio, what: 'audio' as const }] : []),
  ];
}

function helpFor(fault: Fault): Help | undefined {
  const browser = browserOf(navigator);
  if (fault === 'denied') return HELP[browser];
  if (fault === 'system') return SYSTEM_HELP[systemOf(navigator)];
  return fault === 'unsupported' && browser === 'in-app' ? HELP['in-app'] : undefined;
}
