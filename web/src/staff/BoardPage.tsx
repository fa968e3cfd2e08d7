import { CalendarPlus, CalendarX } from 'lucide-react';
import { useCallback, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useSearchParams } from 'react-router';

import { useSession } from '../app/session';
import { isDay, middleOf } from '../doctor/days';
import { ReadFailed } from '../doctor/ReadFailed';
import { useToday } from '../doctor/useToday';
import { longDay } from '../time/format';
import { Button, EmptyState, layout, LinkButton, Page, Skeleton } from '../ui';
import styles from './board.module.css';
import { columnsOf } from './board';
import { countGroups, type Group } from './board-state';
import { BoardColumn } from './BoardColumn';
import { BoardFilters } from './BoardFilters';
import { ClinicZone } from './ClinicZone';
import { DayTurner } from './DayTurner';
import { useBoard } from './useBoard';

/** The clinic's day: every doctor, every appointment, and how it stands now. `?day=` is the day. */
export default function BoardPage() {
  const { t } = useTranslation('staff');
  const { person, viewer } = useSession();
  const today = useToday(viewer.timeZone);
  const [search, setSearch] = useSearchParams();
  const asked = search.get('day');
  const day = isDay(asked) ? asked : today;
  const board = useBoard(day);

  return (
    <Page
      title={t('board.title')}
      wide
      actions={
        person.role === 'STAFF' && (
          <LinkButton variant="primary" to="/book" icon={<CalendarPlus aria-hidden="true" />}>
            {t('board.book')}
          </LinkButton>
        )
      }
    >
      <DayTurner
        day={day}
        today={today}
        onChange={(next) => setSearch(next === today ? {} : { day: next }, { replace: true })}
      />
      <p className={styles.date} role="status">
        {longDay(middleOf(day, viewer.timeZone), viewer)}
      </p>
      <ClinicZone />
      {board.list.data && board.doctors.data ? (
        <Board key={day} visits={board.visits} doctors={board.doctors.data} />
      ) : board.list.isError || board.doctors.isError ? (
        <ReadFailed
          error={board.list.error ?? board.doctors.error}
          onRetry={() => {
            void board.list.refetch();
            void board.doctors.refetch();
          }}
        />
      ) : (
        <Skeleton lines={12} />
      )}
    </Page>
  );
}

interface BoardProps {
  visits: ReturnType<typeof useBoard>['visits'];
  doctors: NonNullable<ReturnType<typeof useBoard>['doctors']['data']>;
}

function Board({ visits, doctors }: BoardProps) {
  const { t } = useTranslation('staff');
  const [filter, setFilter] = useState<Group | null>(null);
  const [openId, setOpenId] = useState<string | null>(null);
  const toggle = useCallback(
    (id: string) => setOpenId((before) => (before === id ? null : id)),
    [],
  );
  const counts = useMemo(() => countGroups(visits.map(({ state }) => state)), [visits]);
  const columns = useMemo(() => columnsOf(visits, doctors, filter), [visits, doctors, filter]);
  const free = doctors.filter(({ id }) => !columns.some(({ doctorId }) => doctorId === id));

  return (
    <>
      <BoardFilters counts={counts} value={filter} onChange={setFilter} />
      {columns.length === 0 ? (
        <EmptyState
          icon={<CalendarX />}
          title={t(filter ? 'board.noneOf' : 'board.none')}
          action={filter && <Button onClick={() => setFilter(null)}>{t('board.all')}</Button>}
        />
      ) : (
        <div className={styles.columns}>
          {columns.map((column) => (
            <BoardColumn key={column.doctorId} column={column} openId={openId} onToggle={toggle} />
          ))}
        </div>
      )}
      {filter === null && columns.length > 0 && free.length > 0 && (
        <p className={layout.quiet}>
          {t('board.free', { names: free.map(({ displayName }) => displayName).join(' · ') })}
        </p>
      )}
    </>
  );
}
