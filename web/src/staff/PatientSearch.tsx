import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ComboBox, Input, Label, ListBox, ListBoxItem, Popover, Text } from 'react-aria-components';
import { useTranslation } from 'react-i18next';

import type { Patient } from '../api';
import { queries } from '../app/queries';
import { layout, useProblemText } from '../ui';
import { FieldError } from '../ui/Field';
import styles from './PatientSearch.module.css';
import { useDebounced } from './useDebounced';

/** So long somebody who types is left alone. */
const PAUSE_MS = 250;

export interface PatientSearchProps {
  value: Patient | null;
  onChange: (patient: Patient | null) => void;
  error: string | undefined;
}

/** Finds a patient by a part of the name or mail address. */
export function PatientSearch({ value, onChange, error }: PatientSearchProps) {
  const { t } = useTranslation('staff');
  const words = useProblemText();
  const [typed, setTyped] = useState(value?.displayName ?? '');
  const wanted = useDebounced(typed.trim(), PAUSE_MS);
  const found = useQuery({
    ...queries.patients(wanted),
    enabled: wanted !== '' && wanted !== value?.displayName,
    placeholderData: keepPreviousData,
  });
  const listed = wanted === '' ? [] : (found.data ?? []);
  // Who is chosen stays in the list: the box takes its text from there.
  const items = value && !listed.some(({ id }) => id === value.id) ? [value, ...listed] : listed;
  const looking = found.isFetching || wanted !== typed.trim();

  const choose = (patient: Patient | null) => {
    setTyped(patient?.displayName ?? '');
    onChange(patient);
  };

  return (
    <ComboBox
      className={styles.box ?? ''}
      items={items}
      inputValue={typed}
      onInputChange={setTyped}
      value={value?.id ?? null}
      onChange={(id) => choose(items.find((patient) => patient.id === id) ?? null)}
      isInvalid={error !== undefined}
      // The list opens as one types, before anybody is found; else it would not open any more.
      allowsEmptyCollection
    >
      <Label className={styles.label ?? ''}>{t('book.patient')}</Label>
      <Text slot="description" className={styles.help ?? ''}>
        {value ? value.email || t('book.noMail') : t('book.patientHelp')}
      </Text>
      <Input className={styles.input ?? ''} autoComplete="off" spellCheck="false" />
      {error !== undefined && (
        <Text slot="errorMessage">
          <FieldError id="patient-error">{error}</FieldError>
        </Text>
      )}
      {found.isError && <p role="alert">{words(found.error)}</p>}
      <Popover className={styles.popover ?? ''} offset={4}>
        <ListBox<Patient>
          className={styles.list ?? ''}
          renderEmptyState={() => (
            <p className={styles.empty}>
              {t(
                typed.trim() === '' ? 'book.patientHelp' : looking ? 'book.looking' : 'book.nobody',
              )}
            </p>
          )}
        >
          {(patient) => (
            <ListBoxItem
              id={patient.id}
              textValue={patient.displayName}
              className={styles.item ?? ''}
            >
              <Text slot="label">{patient.displayName}</Text>
              <Text slot="description" className={`${layout.quiet} ${layout.small}`}>
                {patient.email}
              </Text>
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </ComboBox>
  );
}
