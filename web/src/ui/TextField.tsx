import type { InputHTMLAttributes, ReactNode, Ref, TextareaHTMLAttributes } from 'react';

import { Field, type FieldTexts } from './Field';
import styles from './Field.module.css';

interface LineProps extends FieldTexts, Omit<InputHTMLAttributes<HTMLInputElement>, 'id'> {
  multiline?: false;
  /** Beside the box: a button that shows a password. */
  after?: ReactNode;
  ref?: Ref<HTMLInputElement>;
}

interface LinesProps extends FieldTexts, Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, 'id'> {
  multiline: true;
  ref?: Ref<HTMLTextAreaElement>;
}

export type TextFieldProps = LineProps | LinesProps;

/** A box to write in. All attributes of input or textarea may be given. */
export function TextField(props: TextFieldProps) {
  return props.multiline ? <Lines {...props} /> : <Line {...props} />;
}

function look(multiline = false): string {
  return [styles.control, multiline && styles.multiline].filter(Boolean).join(' ');
}

function Line({ label, description, error, multiline, after, ...input }: LineProps) {
  return (
    <Field label={label} description={description} error={error}>
      {(tied) => (
        <div className={styles.line}>
          <input type="text" {...input} {...tied} className={look(multiline)} />
          {after}
        </div>
      )}
    </Field>
  );
}

function Lines({ label, description, error, multiline, ...textarea }: LinesProps) {
  return (
    <Field label={label} description={description} error={error}>
      {(tied) => <textarea {...textarea} {...tied} className={look(multiline)} />}
    </Field>
  );
}
