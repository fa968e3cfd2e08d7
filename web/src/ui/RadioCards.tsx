import { type ReactNode, useId } from 'react';

import { FieldError } from './Field';
import styles from './Field.module.css';

export interface RadioCardsProps<Id extends string> {
  legend: string;
  options: readonly {
    readonly id: Id;
    readonly label: string;
    readonly description?: ReactNode;
  }[];
  value: Id | null;
  onChange: (id: Id) => void;
  error?: string | undefined;
}

/** One of a few, all in sight. */
export function RadioCards<Id extends string>(props: RadioCardsProps<Id>) {
  const { legend, options, value, onChange, error } = props;
  const name = useId();
  return (
    <fieldset className={styles.fieldset} aria-describedby={error ? `${name}-error` : undefined}>
      <legend className={styles.legend}>{legend}</legend>
      {options.map((option, place) => (
        <label
          key={option.id}
          className={`${styles.choice} ${styles.card}`}
          htmlFor={`${name}-${place}`}
        >
          <input
            id={`${name}-${place}`}
            type="radio"
            name={name}
            className={styles.radio}
            checked={option.id === value}
            aria-labelledby={`${name}-${place}-label`}
            aria-describedby={option.description ? `${name}-${place}-help` : undefined}
            onChange={() => onChange(option.id)}
          />
          <span className={styles.choiceText}>
            <span id={`${name}-${place}-label`}>{option.label}</span>
            {option.description && (
              <span id={`${name}-${place}-help`} className={styles.description}>
                {option.description}
              </span>
            )}
          </span>
        </label>
      ))}
      {error && <FieldError id={`${name}-error`}>{error}</FieldError>}
    </fieldset>
  );
}
