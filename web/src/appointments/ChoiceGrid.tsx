import { type ReactNode, useId } from 'react';

import { layout } from '../ui';
import styles from './ChoiceGrid.module.css';

export interface Choice {
  id: string;
  label: ReactNode;
  /** A quieter second line. */
  detail?: ReactNode;
}

export interface ChoiceGridProps {
  legend: string;
  /** Groups with their headings; one without a heading has ''. */
  groups: { name: string; choices: Choice[] }[];
  value: string | null;
  onChange: (id: string) => void;
}

/** One of many short things: radio buttons that look like buttons, so arrow keys go through them. */
export function ChoiceGrid({ legend, groups, value, onChange }: ChoiceGridProps) {
  const name = useId();
  return (
    <fieldset className={styles.set}>
      <legend className={styles.legend}>{legend}</legend>
      {groups.map((group) => (
        <div key={group.name} role="presentation">
          {group.name && <p className={styles.group}>{group.name}</p>}
          <div className={styles.grid}>
            {group.choices.map((choice) => (
              <label key={choice.id} className={styles.choice}>
                <input
                  type="radio"
                  name={name}
                  className={layout.hidden}
                  checked={choice.id === value}
                  onChange={() => onChange(choice.id)}
                />
                <span>{choice.label}</span>
                {choice.detail && <span className={styles.detail}>{choice.detail}</span>}
              </label>
            ))}
          </div>
        </div>
      ))}
    </fieldset>
  );
}
