// The title of the tab is put together here, because three parts of the app have a say in it: the
// page, the count of unread notices, and something that cannot wait ("Pia Sommer is waiting").

import { useEffect } from 'react';

const PRODUCT = 'televisit';

const state = { page: '', clinic: '', unread: 0, alert: '' };

function write(change: Partial<typeof state>): void {
  Object.assign(state, change);
  const { page, clinic, unread, alert } = state;
  const words = [alert, page, clinic || PRODUCT].filter(Boolean).join(' · ');
  document.title = unread > 0 ? `(${unread}) ${words}` : words;
}

/** What the page is about. */
export function usePageTitle(page: string): void {
  useEffect(() => write({ page }), [page]);
}

/** Whose app it is and how many notices are unread: said by the shell, on every page. */
export function useFrameTitle(clinic: string, unread: number): void {
  useEffect(() => {
    write({ clinic, unread });
    return () => write({ clinic: '', unread: 0 });
  }, [clinic, unread]);
}

/** Stands in front of everything else as long as it is true; empty: nothing. One at a time. */
export function useTitleAlert(alert: string): void {
  useEffect(() => {
    write({ alert });
    return () => write({ alert: '' });
  }, [alert]);
}
