import { useTranslation } from 'react-i18next';

import { Button } from '../ui';
import styles from './board.module.css';
import { type Group, GROUPS } from './board-state';

export interface BoardFiltersProps {
  counts: Record<Group, number>;
  value: Group | null;
  onChange: (group: Group | null) => void;
}

/** How many there are of each kind; pressed, the board shows only those. */
export function BoardFilters({ counts, value, onChange }: BoardFiltersProps) {
  const { t } = useTranslation('staff');
  return (
    <div role="group" aria-label={t('filter.label')} className={styles.filters}>
      {GROUPS.map((group) => (
        <Button
          key={group}
          className={value === group ? styles.pressed : undefined}
          aria-pressed={value === group}
          onClick={() => onChange(value === group ? null : group)}
        >
          {t(`filter.${group}`)}
          <strong className={styles.count}>{counts[group]}</strong>
        </Button>
      ))}
    </div>
  );
}
