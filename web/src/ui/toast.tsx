// Short messages at the edge of the screen: something is done, or something can be.

import i18next from 'i18next';
import { X } from 'lucide-react';
import { useEffect, useSyncExternalStore } from 'react';
import { createPortal } from 'react-dom';
import { useTranslation } from 'react-i18next';

import { announce } from './announce';
import { Button, IconButton } from './Button';
import type { NoticeTone } from './Notice';
import { problemText } from './problemText';
import styles from './toast.module.css';

export interface ToastOptions {
  tone?: NoticeTone;
  /** Something to do about it; such a message stays until it is answered. */
  action?: { label: string; onPress: () => void };
}

interface Shown extends ToastOptions {
  id: number;
  text: string;
}

const STAYS_MS = 8000;
const MOST = 3;

let shown: readonly Shown[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function show(next: readonly Shown[]): void {
  shown = next;
  for (const listener of listeners) listener();
}

/** Shows and says it; returns how to take it away. */
export function toast(text: string, options: ToastOptions = {}): () => void {
  const id = ++lastId;
  show([...shown, { ...options, id, text }].slice(-MOST));
  announce(text, options.tone === 'bad' ? 'assertive' : 'polite');
  return () => show(shown.filter((one) => one.id !== id));
}

/** The same for an error, where no text for it stands on the page; loads the words if need be. */
export async function toastProblem(error: unknown): Promise<void> {
  await i18next.loadNamespaces('problems');
  toast(problemText(error, i18next.getFixedT(null, 'problems')), { tone: 'bad' });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Where they appear; once, in the frame of the app. Above dialogs, and reachable from them. */
export function Toasts() {
  const { t } = useTranslation('common');
  const toasts = useSyncExternalStore(subscribe, () => shown);
  if (toasts.length === 0) return null;
  return createPortal(
    <section aria-label={t('toasts')} className={styles.place} data-react-aria-top-layer="true">
      {toasts.map((one) => (
        <Toast key={one.id} {...one} />
      ))}
    </section>,
    document.body,
  );
}

function Toast({ id, text, tone = 'info', action }: Shown) {
  const { t } = useTranslation('common');
  const close = () => show(shown.filter((one) => one.id !== id));
  const stays = action !== undefined;

  useEffect(() => {
    if (stays) return;
    const timer = setTimeout(() => show(shown.filter((one) => one.id !== id)), STAYS_MS);
    return () => clearTimeout(timer);
  }, [id, stays]);

  return (
    <div className={[styles.toast, styles[tone]].join(' ')}>
      <p className={styles.text}>{text}</p>
      {action && (
        <Button
          variant="secondary"
          onClick={() => {
            close();
            action.onPress();
          }}
        >
          {action.label}
        </Button>
      )}
      <IconButton label={t('close')} icon={<X aria-hidden="true" />} onClick={close} />
    </div>
  );
}
