import { ChevronDown, CircleUser, LogOut, Settings, Video } from 'lucide-react';
import { useEffect, useId, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';

import { toastProblem } from '../ui';
import { Button } from '../ui/Button';
import styles from './PersonMenu.module.css';
import { useSession } from './session';

/** Who is logged in, and what concerns them: a button that shows a list of links. */
export function PersonMenu() {
  const { t } = useTranslation('common');
  const { person } = useSession();
  const [open, setOpen] = useState(false);
  const panelId = useId();
  const place = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (event.target instanceof Node && !place.current?.contains(event.target)) setOpen(false);
    };
    const escape = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return;
      setOpen(false);
      button.current?.focus();
    };
    document.addEventListener('pointerdown', outside);
    document.addEventListener('focusin', outside);
    document.addEventListener('keydown', escape);
    return () => {
      document.removeEventListener('pointerdown', outside);
      document.removeEventListener('focusin', outside);
      document.removeEventListener('keydown', escape);
    };
  }, [open]);

  return (
    <div ref={place} className={styles.place}>
      <Button
        ref={button}
        variant="quiet"
        className={styles.button}
        aria-expanded={open}
        aria-controls={panelId}
        aria-label={t('person.menu', { name: person.displayName })}
        icon={<CircleUser aria-hidden="true" />}
        onClick={() => setOpen(!open)}
      >
        <span className={styles.name}>{person.displayName}</span>
        <ChevronDown aria-hidden="true" />
      </Button>
      <div id={panelId} hidden={!open} className={styles.panel}>
        <p className={styles.who}>
          <strong>{person.displayName}</strong>
          <span>{person.email}</span>
        </p>
        <Entries close={() => setOpen(false)} />
      </div>
    </div>
  );
}

function Entries({ close }: { close: () => void }) {
  const { t } = useTranslation('common');
  const { logOut } = useSession();
  const [leaving, setLeaving] = useState(false);

  const leave = async () => {
    setLeaving(true);
    try {
      await logOut();
    } catch (error) {
      setLeaving(false);
      await toastProblem(error);
    }
  };

  return (
    <ul>
      <li>
        <Link to="/settings" className={styles.entry} onClick={close}>
          <Settings aria-hidden="true" />
          {t('person.settings')}
        </Link>
      </li>
      <li>
        <Link to="/check" className={styles.entry} onClick={close}>
          <Video aria-hidden="true" />
          {t('person.check')}
        </Link>
      </li>
      <li>
        <Button
          variant="quiet"
          className={styles.entry}
          busy={leaving}
          icon={<LogOut aria-hidden="true" />}
          onClick={() => void leave()}
        >
          {t('person.logOut')}
        </Button>
      </li>
    </ul>
  );
}
