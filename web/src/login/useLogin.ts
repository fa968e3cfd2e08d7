// The log-in form without its look: what was written, what is missing, what the server said.

import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { useAuth } from '../app/session';
import { isShortName, rememberClinic, shortName } from './clinic';

export interface Entries {
  clinic: string;
  email: string;
  password: string;
}

export type FieldName = keyof Entries;

/** In the order of the form: the first one at fault gets the focus. */
const FIELDS: readonly FieldName[] = ['clinic', 'email', 'password'];

export function useLogin(clinic: string) {
  const { t } = useTranslation('login');
  const { logIn } = useAuth();
  const [entries, setEntries] = useState<Entries>({ clinic, email: '', password: '' });
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);

  function faultOf(field: FieldName): string | undefined {
    const entry = entries[field];
    if (field === 'clinic' && entry && !isShortName(shortName(entry))) return t('clinic.invalid');
    if (field === 'email' && entry && !/^[^\s@]+@[^\s@]+$/.test(entry.trim()))
      return t('email.invalid');
    return entry ? undefined : t(`${field}.missing`);
  }

  return {
    entries,
    busy,
    failure,
    /** Nothing is at fault before somebody tried. */
    faultOf: (field: FieldName) => (tried ? faultOf(field) : undefined),
    write: (change: Partial<Entries>) => setEntries({ ...entries, ...change }),
    /** The first field at fault, or null when it was sent. */
    submit: (): FieldName | null => {
      setTried(true);
      setFailure(null);
      const wrong = FIELDS.find((field) => faultOf(field) !== undefined);
      if (wrong) return wrong;
      const credentials = {
        clinic: shortName(entries.clinic),
        email: entries.email.trim(),
        password: entries.password,
      };
      setBusy(true);
      logIn(credentials).then(
        () => rememberClinic(credentials.clinic),
        (error: unknown) => {
          setFailure(error);
          setBusy(false);
        },
      );
      return null;
    },
  };
}
