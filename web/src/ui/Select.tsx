import { Field, type FieldTexts } from './Field';
import styles from './Field.module.css';

export interface SelectProps<Id extends string> extends FieldTexts {
  items: readonly { readonly id: Id; readonly label: string }[];
  value: Id | null;
  onChange: (id: Id) => void;
  /** What stands there before something was chosen. */
  placeholder?: string;
  disabled?: boolean;
  name?: string;
}

/**
 * One of a few. It is the browser's own list: phones show their wheel, every reader and every
 * keyboard knows it, and it costs the first load nothing. For long lists there is SearchSelect.
 */
export function Select<Id extends string>(props: SelectProps<Id>) {
  const { label, description, error, items, value, onChange, placeholder, ...rest } = props;
  return (
    <Field label={label} description={description} error={error}>
      {(tied) => (
        <select
          {...rest}
          {...tied}
          className={styles.control}
          value={value ?? ''}
          onChange={(event) => {
            const chosen = items.find((item) => item.id === event.target.value);
            if (chosen) onChange(chosen.id);
          }}
        >
          {value === null && (
            <option value="" disabled>
              {placeholder ?? ''}
            </option>
          )}
          {items.map((item) => (
            <option key={item.id} value={item.id}>
              {item.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
