// Import it where it is used, not from the kit's index: it brings React Aria's lists.

import { ChevronDown } from 'lucide-react';
import {
  Button,
  ComboBox,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Text,
} from 'react-aria-components';

import fieldStyles from './Field.module.css';
import styles from './SearchSelect.module.css';

export interface SearchItem {
  id: string;
  label: string;
  /** Beside the label; it can be searched as well. */
  more?: string;
}

export interface SearchSelectProps {
  label: string;
  description?: string;
  items: readonly SearchItem[];
  value: string | null;
  onChange: (id: string) => void;
  /** What stands there when nothing fits. */
  nothing: string;
  /** Of the button that shows all. */
  showAll: string;
}

/** One of many: found by writing a part of it, or in the whole list. */
export function SearchSelect(props: SearchSelectProps) {
  const { label, description, items, value, onChange, nothing, showAll } = props;
  return (
    <ComboBox
      className={fieldStyles.field ?? ''}
      defaultItems={items}
      value={value}
      menuTrigger="focus"
      allowsEmptyCollection
      onChange={(key) => {
        if (key !== null) onChange(String(key));
      }}
    >
      <Label className={fieldStyles.label ?? ''}>{label}</Label>
      {description && (
        <Text slot="description" className={fieldStyles.description ?? ''}>
          {description}
        </Text>
      )}
      <div className={styles.box}>
        <Input className={fieldStyles.control ?? ''} />
        <Button aria-label={showAll} className={styles.open ?? ''}>
          <ChevronDown aria-hidden="true" />
        </Button>
      </div>
      <Popover className={styles.popover ?? ''}>
        <ListBox<SearchItem>
          className={styles.list ?? ''}
          renderEmptyState={() => <p className={styles.nothing}>{nothing}</p>}
        >
          {(item) => (
            <ListBoxItem
              id={item.id}
              className={styles.item ?? ''}
              textValue={[item.label, item.more].filter(Boolean).join(', ')}
            >
              <Text slot="label">{item.label}</Text>
              {item.more && (
                <Text slot="description" className={styles.more ?? ''}>
                  {item.more}
                </Text>
              )}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </ComboBox>
  );
}
