import { useId } from 'react';
import { useTranslation } from 'react-i18next';

import { layout } from '../ui';
import type { BoardVisit, Column } from './board';
import styles from './board.module.css';
import { BoardRow } from './BoardRow';

export interface BoardColumnProps {
  column: Column;
  openId: string | null;
  onToggle: (appointmentId: string) => void;
}

/** A doctor's day. */
export function BoardColumn({ column, openId, onToggle }: BoardColumnProps) {
  const { t } = useTranslation('staff');
  const headingId = useId();
  const rows = (visits: readonly BoardVisit[]) =>
    visits.map((visit) => (
      <BoardRow
        key={visit.appointment.id}
        visit={visit}
        isOpen={visit.appointment.id === openId}
        onToggle={onToggle}
      />
    ));

  return (
    <section className={styles.column} aria-labelledby={headingId}>
      <div>
        <h2 id={headingId} className={styles.doctor}>
          {column.name}
        </h2>
        {column.speciality !== '' && (
          <p className={`${layout.quiet} ${layout.small}`}>{column.speciality}</p>
        )}
      </div>
      <ul className={styles.rows}>{rows(column.visits)}</ul>
      {column.off.length > 0 && (
        <details>
          <summary className={styles.off}>{t('board.off', { count: column.off.length })}</summary>
          <ul className={styles.rows}>{rows(column.off)}</ul>
        </details>
      )}
    </section>
  );
}
