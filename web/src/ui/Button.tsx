import {
  type ButtonHTMLAttributes,
  type MouseEvent,
  type ReactNode,
  type Ref,
  useEffect,
  useId,
} from 'react';
import { useTranslation } from 'react-i18next';
import { Link, type LinkProps } from 'react-router';

import { announce } from './announce';
import styles from './Button.module.css';
import layout from './layout.module.css';

/** `call` is the way into a call and nothing else. */
export type ButtonVariant = 'primary' | 'secondary' | 'quiet' | 'danger' | 'call';

interface Look {
  variant?: ButtonVariant;
  icon?: ReactNode;
  /** As wide as what it stands in. */
  block?: boolean;
}

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement>, Look {
  /** Something is under way: it keeps the focus, does nothing, and says so. */
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

/** What is under way for longer than this is said aloud. */
const SAID_AFTER_MS = 600;

function classes({ variant = 'secondary', block }: Look, extra?: string): string {
  return [styles.button, styles[variant], block && styles.block, extra].filter(Boolean).join(' ');
}

export function Button({
  variant,
  icon,
  block,
  busy = false,
  className,
  children,
  onClick,
  type = 'button',
  ...rest
}: ButtonProps) {
  const { t } = useTranslation('common');
  const busyId = useId();

  useEffect(() => {
    if (!busy) return;
    const timer = setTimeout(() => announce(t('busy')), SAID_AFTER_MS);
    return () => clearTimeout(timer);
  }, [busy, t]);

  const press = (event: MouseEvent<HTMLButtonElement>) => {
    // aria-disabled does not stop a form from being sent.
    if (busy) event.preventDefault();
    else onClick?.(event);
  };

  return (
    <button
      {...rest}
      type={type}
      className={classes({ variant, block }, className)}
      onClick={press}
      {...(busy && {
        'aria-disabled': true,
        'aria-describedby': [rest['aria-describedby'], busyId].filter(Boolean).join(' '),
      })}
    >
      {busy ? <span className={styles.spinner} aria-hidden="true" /> : icon}
      {children}
      {busy && (
        <span id={busyId} className={layout.hidden} aria-hidden="true">
          {t('busy')}
        </span>
      )}
    </button>
  );
}

export interface LinkButtonProps extends LinkProps, Look {}

/** A link that looks like a button: it leads somewhere, it does nothing. */
export function LinkButton({
  variant,
  icon,
  block,
  className,
  children,
  ...rest
}: LinkButtonProps) {
  return (
    <Link {...rest} className={classes({ variant, block }, className)}>
      {icon}
      {children}
    </Link>
  );
}

export interface IconButtonProps extends Omit<ButtonProps, 'children' | 'icon'> {
  /** What it does, for ears and as a tip. */
  label: string;
  icon: ReactNode;
}

/** A button of which only the icon is seen. */
export function IconButton({
  label,
  icon,
  className,
  variant = 'quiet',
  ...rest
}: IconButtonProps) {
  return (
    <Button
      {...rest}
      variant={variant}
      className={[styles.iconOnly, className].filter(Boolean).join(' ')}
      icon={icon}
      aria-label={label}
      title={label}
    />
  );
}
