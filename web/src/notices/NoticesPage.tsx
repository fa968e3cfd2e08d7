import { useQuery } from '@tanstack/react-query';
import { BellOff, CheckCheck } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { queries } from '../app/queries';
import { serverClock } from '../app/services';
import { useSession } from '../app/session';
import { isoDay, longDay } from '../time/format';
import {
  announce,
  Button,
  EmptyState,
  FormError,
  layout,
  Page,
  Skeleton,
  toastProblem,
} from '../ui';
import { byDay, type NoticeDay } from './days';
import { NoticeItem } from './NoticeItem';
import styles from './Notices.module.css';
import { useReading } from './useReading';

/** What the person was told, newest first. */
export default function NoticesPage() {
  const { t } = useTranslation('notices');
  const { viewer } = useSession();
  const inbox = useQuery(queries.inbox());
  const reading = useReading(inbox.data);
  const entries = inbox.data?.entries ?? [];
  const someNew = entries.some((entry) => reading.isNew(entry.seq));

  const markAll = () => {
    reading.markAll().then(
      () => announce(t('allRead')),
      (error: unknown) => toastProblem(error),
    );
  };

  return (
    <Page
      title={t('title')}
      actions={
        someNew && (
          <Button icon={<CheckCheck aria-hidden="true" />} busy={reading.busy} onClick={markAll}>
            {t('markAll')}
          </Button>
        )
      }
    >
      {inbox.isPending && <Skeleton lines={6} />}
      {inbox.isError && (
        <>
          <FormError error={inbox.error} />
          <p>
            <Button busy={inbox.isFetching} onClick={() => void inbox.refetch()}>
              {t('again')}
            </Button>
          </p>
        </>
      )}
      {inbox.data && entries.length === 0 && (
        <EmptyState icon={<BellOff />} title={t('empty.title')}>
          <p>{t('empty.text')}</p>
        </EmptyState>
      )}
      {byDay(entries, viewer.timeZone).map((day) => (
        <Day key={day.day} day={day} isNew={reading.isNew} />
      ))}
    </Page>
  );
}

function Day({ day, isNew }: { day: NoticeDay; isNew: (seq: string) => boolean }) {
  const { viewer } = useSession();
  const name = useDayName(day);
  return (
    <section aria-label={name} className={layout.stack}>
      <h2>{name}</h2>
      <ul className={styles.list}>
        {day.entries.map((entry) => (
          <NoticeItem key={entry.seq} entry={entry} viewer={viewer} isNew={isNew(entry.seq)} />
        ))}
      </ul>
    </section>
  );
}

const DAY_MS = 24 * 60 * 60 * 1000;

function useDayName({ day, entries }: NoticeDay): string {
  const { t } = useTranslation('notices');
  const { viewer } = useSession();
  const now = serverClock.now();
  if (day === isoDay(now, viewer.timeZone)) return t('today');
  if (day === isoDay(now - DAY_MS, viewer.timeZone)) return t('yesterday');
  return longDay(entries[0]?.occurredAt ?? day, viewer);
}
