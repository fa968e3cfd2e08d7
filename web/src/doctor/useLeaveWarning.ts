import { useEffect, useEffectEvent } from 'react';

/** Has the browser ask before the page goes away, as long as something would be lost with it. */
export function useLeaveWarning(unsaved: boolean, onScreenLeft: () => void): void {
  const left = useEffectEvent(() => {
    if (unsaved) onScreenLeft();
  });

  useEffect(() => {
    if (!unsaved) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [unsaved]);

  useEffect(() => () => left(), []);
}
