import { useTranslation } from 'react-i18next';

import type { Appointment } from '../api';
import { useSession } from '../app/session';
import { useCall } from '../call/context';
import { clockTime, isoDay, longDay } from '../time/format';
import { timeUntil, untilNextWords } from '../time/relative';
import { useNow } from '../time/useNow';
import type { JoinProps } from './JoinButton';
import { joinView, type JoinView } from './join';

/** Why the call cannot be joined, and when it can; or what is going on in it. */
export function JoinStatus({ appointment, as }: JoinProps) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  const view = joinView(appointment, as);
  switch (view.kind) {
    case 'open':
      return <OpenStatus view={view} />;
    case 'early':
      return <Countdown opensAt={view.opensAt} />;
    case 'waiting':
      return <p>{t('join.waiting')}</p>;
    case 'unconfirmed':
      return <p>{t(`join.unconfirmed.${as}`)}</p>;
    case 'late':
      return <p>{t('join.late', { time: clockTime(view.closesAt, viewer) })}</p>;
    case 'over':
      return <p>{t(overKey(appointment))}</p>;
    case 'none':
      return null;
  }
}

function overKey({ status }: Appointment) {
  switch (status) {
    case 'DECLINED':
    case 'CANCELLED':
    case 'COMPLETED':
    case 'NO_SHOW':
      return `join.over.${status}` as const;
    default:
      return 'join.over.other';
  }
}

function OpenStatus({ view }: { view: Extract<JoinView, { kind: 'open' }> }) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  const { inCall } = useCall();
  if (inCall) return null; // the button says it
  if (view.elsewhere) return <p>{t('join.elsewhere')}</p>;
  const [somebody] = view.waiting;
  if (somebody) return <p>{t('join.waitsForYou', { name: somebody.displayName })}</p>;
  return <p>{t('join.isOpen', { time: clockTime(view.closesAt, viewer) })}</p>;
}

/** "Opens at 13:30, in 2 h 5 min"; on another day, "Opens on Monday, 23 November at 13:30". */
export function Countdown({ opensAt }: { opensAt: string }) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  const opens = Date.parse(opensAt);
  const now = useNow((at) => untilNextWords(opens - at));
  const left = opens - now;
  const time = clockTime(opensAt, viewer);
  if (left <= 0) return <p>{t('join.opensSoon', { time })}</p>;
  if (isoDay(opens, viewer.timeZone) !== isoDay(now, viewer.timeZone) && left > 12 * 3_600_000)
    return <p>{t('join.opensDay', { day: longDay(opensAt, viewer), time })}</p>;
  return <p>{t('join.opens', { time, duration: timeUntil(left, viewer) })}</p>;
}
