import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

import type { Appointment, Call, ListCallsReply } from '../api';
import { queries } from '../app/queries';
import { useSession } from '../app/session';
import { clockTime, longDay } from '../time/format';
import { timeSpent } from '../time/relative';
import { Button, Card, FormError, layout, Skeleton } from '../ui';
import type { As } from './people';

interface CallsPartProps {
  appointment: Appointment;
  as: As;
}

/** The calls of an appointment: when, who, how long. */
export function CallsPart({ appointment, as }: CallsPartProps) {
  const { t } = useTranslation('appointments');
  const found = useQuery(queries.calls(appointment.id));
  return (
    <Card heading={t('page.calls')}>
      {found.isPending && <Skeleton lines={2} />}
      {found.isError && !found.data && (
        <>
          <FormError error={found.error} />
          <div>
            <Button onClick={() => void found.refetch()}>{t('action.retry')}</Button>
          </div>
        </>
      )}
      {found.data && <Record record={found.data} appointment={appointment} as={as} />}
    </Card>
  );
}

/** Whole numbers of seconds come as text, as the API writes big ones. */
const toMs = (seconds: string) => Number(seconds) * 1000;

function Record({ record, appointment, as }: CallsPartProps & { record: ListCallsReply }) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  if (record.calls.length === 0) return <p>{t('page.noCalls')}</p>;
  const nameOf = (participantId: string) =>
    appointment.participants.find(({ id }) => id === participantId)?.displayName ?? '';
  const together = toMs(record.togetherSeconds);
  const unsure = record.calls.some((call) => call.presences.some((presence) => presence.unsure));
  const duration = timeSpent(together, viewer);
  return (
    <div className={`${layout.stack} ${layout.tight}`}>
      <ul>
        {record.calls.map((call) => (
          <li key={call.roomSid}>
            <Times call={call} />
          </li>
        ))}
      </ul>
      <ul>
        {record.people.map(({ participantId, presentSeconds }) => (
          <li key={participantId}>
            {t('page.wasThere', {
              name: nameOf(participantId),
              duration: timeSpent(toMs(presentSeconds), viewer),
            })}
          </li>
        ))}
      </ul>
      {together > 0 && (
        <p>{t(as === 'staff' ? 'page.togetherOthers' : 'page.together', { duration })}</p>
      )}
      {unsure && <p className={layout.quiet}>{t('page.unsure')}</p>}
    </div>
  );
}

/** A call that the record knows only the end of is said to have begun then. */
function Times({ call: { startedAt, overAt } }: { call: Call }) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  const begin = startedAt ?? overAt;
  if (begin === undefined) return null;
  const day = longDay(begin, viewer);
  const start = clockTime(begin, viewer);
  if (overAt === undefined) return t('page.callSince', { day, start });
  return t('page.callFromTo', {
    day,
    start,
    end: clockTime(overAt, viewer),
    duration: timeSpent(Date.parse(overAt) - Date.parse(begin), viewer),
  });
}
