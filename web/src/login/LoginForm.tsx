import { Eye, EyeOff } from 'lucide-react';
import { useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { useTranslation } from 'react-i18next';

import { Button, FormError, IconButton, layout, TextField } from '../ui';
import styles from './Login.module.css';
import { type FieldName, useLogin } from './useLogin';

/** Clinic, mail, password. A clinic that is known is shown as words, and can be changed. */
export function LoginForm({ clinic }: { clinic: string }) {
  const { t } = useTranslation('login');
  const form = useLogin(clinic);
  const [clinicKnown, setClinicKnown] = useState(clinic !== '');
  const formElement = useRef<HTMLFormElement>(null);

  const focus = (field: FieldName) => {
    const control = formElement.current?.elements.namedItem(field);
    if (control instanceof HTMLElement) control.focus();
  };

  const changeClinic = () => {
    // The button goes away under the focus, which goes on to the box in its place.
    flushSync(() => setClinicKnown(false));
    focus('clinic');
  };

  return (
    <form
      ref={formElement}
      className={layout.stack}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        const wrong = form.submit();
        if (wrong) focus(wrong);
      }}
    >
      <FormError error={form.failure} />
      {clinicKnown ? (
        <p className={styles.clinic}>
          <span>{t('clinic.known', { clinic: form.entries.clinic })}</span>
          <Button variant="quiet" onClick={changeClinic}>
            {t('clinic.change')}
          </Button>
        </p>
      ) : (
        <TextField
          name="clinic"
          label={t('clinic.label')}
          description={t('clinic.help')}
          error={form.faultOf('clinic')}
          value={form.entries.clinic}
          required
          autoComplete="organization"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => form.write({ clinic: event.target.value })}
        />
      )}
      <TextField
        name="email"
        type="email"
        label={t('email.label')}
        error={form.faultOf('email')}
        value={form.entries.email}
        required
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        onChange={(event) => form.write({ email: event.target.value })}
      />
      <PasswordField
        error={form.faultOf('password')}
        value={form.entries.password}
        onChange={(password) => form.write({ password })}
      />
      <Button type="submit" variant="primary" block busy={form.busy}>
        {t('submit')}
      </Button>
      <p className={`${layout.quiet} ${layout.small}`}>{t('forgotten')}</p>
    </form>
  );
}

function PasswordField(props: {
  value: string;
  error: string | undefined;
  onChange: (password: string) => void;
}) {
  const { t } = useTranslation('login');
  const [shown, setShown] = useState(false);
  const Icon = shown ? EyeOff : Eye;
  return (
    <TextField
      name="password"
      type={shown ? 'text' : 'password'}
      label={t('password.label')}
      error={props.error}
      value={props.value}
      required
      autoComplete="current-password"
      autoCapitalize="none"
      spellCheck={false}
      onChange={(event) => props.onChange(event.target.value)}
      after={
        <IconButton
          variant="secondary"
          label={shown ? t('password.hide') : t('password.show')}
          icon={<Icon aria-hidden="true" />}
          onClick={() => setShown(!shown)}
        />
      }
    />
  );
}
