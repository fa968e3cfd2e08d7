import { CircleAlert } from 'lucide-react';
import { type ReactNode, useId } from 'react';

import styles from './Field.module.css';

export interface FieldTexts {
  label: string;
  description?: ReactNode;
  /** What is wrong with it, and what to do. */
  error?: string | undefined;
}

/** What a control needs to be tied to its texts. */
export interface Tied {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': true | undefined;
}

/** Label, help and error around one control. */
export function Field({
  label,
  description,
  error,
  children,
}: FieldTexts & { children: (tied: Tied) => ReactNode }) {
  const id = useId();
  const described = [description && `${id}-help`, error && `${id}-error`].filter(Boolean).join(' ');
  return (
    <div className={styles.field}>
      <label htmlFor={id} className={styles.label}>
        {label}
      </label>
      {description && (
        <p id={`${id}-help`} className={styles.description}>
          {description}
        </p>
      )}
      {children({
        id,
        'aria-describedby': described || undefined,
        'aria-invalid': error ? true : undefined,
      })}
      {error && <FieldError id={`${id}-error`}>{error}</FieldError>}
    </div>
  );
}

export function FieldError({ id, children }: { id: string; children: ReactNode }) {
  return (
    <p id={id} className={styles.error}>
      <CircleAlert aria-hidden="true" />
      {children}
    </p>
  );
}
