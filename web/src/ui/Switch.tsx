import { type ReactNode, useId } from 'react';

import styles from './Field.module.css';

export interface SwitchProps {
  label: string;
  description?: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}

/** On or off, in force at once. */
export function Switch({ label, description, checked, onChange, disabled }: SwitchProps) {
  const id = useId();
  return (
    <label className={styles.choice} htmlFor={id}>
      <input
        id={id}
        type="checkbox"
        role="switch"
        className={styles.switch}
        checked={checked}
        disabled={disabled}
        aria-labelledby={`${id}-label`}
        aria-describedby={description ? `${id}-help` : undefined}
        onChange={(event) => onChange(event.target.checked)}
      />
      <span className={styles.choiceText}>
        <span id={`${id}-label`}>{label}</span>
        {description && (
          <span id={`${id}-help`} className={styles.description}>
            {description}
          </span>
        )}
      </span>
    </label>
  );
}
