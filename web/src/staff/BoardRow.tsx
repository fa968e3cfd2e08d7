import { ChevronDown } from 'lucide-react';
import { memo, Suspense, useId } from 'react';
import { useTranslation } from 'react-i18next';

import { useSession } from '../app/session';
import { participant } from '../appointments/people';
import { clockTime } from '../time/format';
import { type BoardVisit, isSameVisit } from './board';
import styles from './board.module.css';
import { StateBadge } from './StateBadge';
import { useStateText } from './useStateText';
import { VisitActions } from './VisitActions';

export interface BoardRowProps {
  visit: BoardVisit;
  isOpen: boolean;
  /** Opens the row by its appointment's id, or closes the one that is open. */
  onToggle: (appointmentId: string) => void;
}

/** One appointment on the board; opened, it says what can be done. */
export const BoardRow = memo(function BoardRow({ visit, isOpen, onToggle }: BoardRowProps) {
  const { t } = useTranslation('staff');
  const { viewer } = useSession();
  const textOf = useStateText();
  const panelId = useId();
  const { appointment, state } = visit;
  const { id, startsAt, endsAt } = appointment;

  return (
    <li className={styles.row} data-testid={`appointment-${id}`} data-state={state.kind}>
      <button
        type="button"
        className={styles.summary}
        aria-expanded={isOpen}
        aria-controls={isOpen ? panelId : undefined}
        onClick={() => onToggle(id)}
      >
        <span className={styles.head}>
          <span className={styles.time}>
            {clockTime(startsAt, viewer)} – {clockTime(endsAt, viewer)}
          </span>
          <ChevronDown aria-hidden="true" className={styles.arrow} />
        </span>
        <span className={styles.name}>
          {participant(appointment, 'PATIENT')?.displayName ?? t('board.patient')}
        </span>
        <StateBadge kind={state.kind} />
        {textOf(appointment, state).map((line) => (
          <span key={line} className={styles.detail}>
            {line}
          </span>
        ))}
      </button>
      {isOpen && (
        // Its texts may have to be loaded: the board stays in sight meanwhile.
        <Suspense>
          <VisitActions id={panelId} appointment={appointment} actions={visit.actions} />
        </Suspense>
      )}
    </li>
  );
}, isSameRow);

/** Of hundreds only those are drawn again that are not as they were. */
function isSameRow(before: BoardRowProps, after: BoardRowProps): boolean {
  return (
    before.isOpen === after.isOpen &&
    before.onToggle === after.onToggle &&
    isSameVisit(before.visit, after.visit)
  );
}
