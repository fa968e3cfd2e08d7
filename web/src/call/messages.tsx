// The pages of a call that are not the call: why one is not in it, and what to do.

import {
  CalendarX,
  CircleCheck,
  Clock,
  DoorOpen,
  LockKeyhole,
  MonitorSmartphone,
  TriangleAlert,
} from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { useSession } from '../app/session';
import { clockTime } from '../time/format';
import { Button, Spinner, useProblemText } from '../ui';
import type { Ending } from './endings';
import { Message } from './Message';
import type { Phase } from './phases';
import { useCallView } from './view';

function CloseButton({ primary = false }: { primary?: boolean }) {
  const { t } = useTranslation('call');
  return (
    <Button variant={primary ? 'primary' : 'secondary'} onClick={useCallView().close}>
      {t('close')}
    </Button>
  );
}

/** What one can do about not being in the call: ask once more, in these words, or go. */
function AgainOrClose({ children }: { children: ReactNode }) {
  const { engine } = useCallView();
  return (
    <>
      <Button variant="primary" onClick={() => engine.happen({ type: 'again' })}>
        {children}
      </Button>
      <CloseButton />
    </>
  );
}

function LeaveButton() {
  const { t } = useTranslation('call');
  const { engine } = useCallView();
  return <Button onClick={() => engine.happen({ type: 'leave' })}>{t('leave')}</Button>;
}

export function Joining() {
  const { t } = useTranslation('call');
  return (
    <Message title={t('joining.title')} actions={<LeaveButton />}>
      <Spinner label={t('joining.text')} />
    </Message>
  );
}

export function Admission() {
  const { t } = useTranslation('call');
  const { others } = useCallView();
  return (
    <Message icon={<DoorOpen />} title={t('admission.title')} actions={<LeaveButton />}>
      <Spinner label={t('admission.text', { name: others })} />
    </Message>
  );
}

/** One button moves the call here; nothing does so by itself. */
function MoveHere({ title, text }: { title: string; text: string }) {
  const { t } = useTranslation('call');
  const { engine } = useCallView();
  return (
    <Message
      icon={<MonitorSmartphone />}
      title={title}
      actions={
        <>
          <Button variant="primary" onClick={() => engine.happen({ type: 'moveHere' })}>
            {t('moveHere')}
          </Button>
          <CloseButton />
        </>
      }
    >
      <p>{text}</p>
    </Message>
  );
}

export function Elsewhere() {
  const { t } = useTranslation('call');
  return <MoveHere title={t('elsewhere.title')} text={t('elsewhere.text')} />;
}

export function Moved() {
  const { t } = useTranslation('call');
  return <MoveHere title={t('moved.title')} text={t('moved.text')} />;
}

export function Unencryptable() {
  const { t } = useTranslation('call');
  return (
    <Message
      icon={<LockKeyhole />}
      title={t('unencryptable.title')}
      actions={<CloseButton primary />}
    >
      <p>{t('unencryptable.text')}</p>
      <p>{t('unencryptable.way')}</p>
    </Message>
  );
}

const ENDING_ICONS = {
  completed: CircleCheck,
  time: Clock,
  cancelled: CalendarX,
  rescheduled: CalendarX,
};

export function Ended({ why }: { why: Ending }) {
  const { t } = useTranslation('call');
  const { as, others } = useCallView();
  const Icon = ENDING_ICONS[why];
  return (
    <Message icon={<Icon />} title={t(`ended.${why}.title`)} actions={<CloseButton primary />}>
      <p>{t(`ended.${why}.${as}`, { name: others })}</p>
      <p>{t('lightsOff')}</p>
    </Message>
  );
}

export function Removed() {
  const { t } = useTranslation('call');
  return (
    <Message
      icon={<DoorOpen />}
      title={t('removed.title')}
      actions={<AgainOrClose>{t('again')}</AgainOrClose>}
    >
      <p>{t('removed.text')}</p>
    </Message>
  );
}

export function Refused({ phase }: { phase: Extract<Phase, { at: 'refused' }> }) {
  const { t } = useTranslation('call');
  const { viewer } = useSession();
  const { why, retryMs, opensAt } = phase;
  const seconds = useCountdown(retryMs);
  return (
    <Message
      icon={why === 'tooEarly' ? <Clock /> : <TriangleAlert />}
      title={t(`refused.${why}.title`)}
      actions={<AgainOrClose>{t('tryNow')}</AgainOrClose>}
    >
      <p>{t(`refused.${why}.text`)}</p>
      {opensAt !== undefined && <p>{t('refused.opens', { time: clockTime(opensAt, viewer) })}</p>}
      {seconds !== null && (
        <p aria-live="off">
          {seconds > 0 ? t('refused.retry', { count: seconds }) : t('refused.soon')}
        </p>
      )}
    </Message>
  );
}

/** Whole seconds that are left of a span that began with the component. */
function useCountdown(ms: number | undefined): number | null {
  const [left, setLeft] = useState(ms);
  useEffect(() => {
    if (ms === undefined) return;
    const end = performance.now() + ms;
    const timer = setInterval(() => setLeft(Math.max(0, end - performance.now())), 1000);
    return () => clearInterval(timer);
  }, [ms]);
  return left === undefined ? null : Math.ceil(left / 1000);
}

export function Failed({ error }: { error: unknown }) {
  const { t } = useTranslation('call');
  const problemText = useProblemText();
  return (
    <Message
      icon={<TriangleAlert />}
      title={t('failed.title')}
      actions={<AgainOrClose>{t('tryNow')}</AgainOrClose>}
    >
      <p role="alert">{problemText(error)}</p>
    </Message>
  );
}
