// The service worker: it lets the app start without a network (build/service-worker.ts), and tells
// when a new release is there.

import i18next from 'i18next';

import { toast } from '../ui/toast';
import { onReleasesFreed, releasesHeld } from './release';

/** A page that stays open for days asks so often whether there is a new release. */
const ASK_EVERY_MS = 60 * 60 * 1000;

export async function startServiceWorker(
  container: ServiceWorkerContainer = navigator.serviceWorker,
): Promise<void> {
  const registration = await container.register('/sw.js', { updateViaCache: 'none' });
  // The page that was just loaded is of the new release already.
  if (navigator.onLine) registration.waiting?.postMessage({ type: 'SKIP_WAITING' });

  registration.addEventListener('updatefound', () => {
    const coming = registration.installing;
    coming?.addEventListener('statechange', () => {
      // Without one in charge this is the first, and nothing is old.
      if (coming.state === 'installed' && container.controller) offer(container, coming);
    });
  });

  let asked = performance.now();
  document.addEventListener('visibilitychange', () => {
    if (document.hidden || performance.now() - asked < ASK_EVERY_MS) return;
    asked = performance.now();
    void registration.update().catch(() => undefined);
  });
}

/** Offers the new release; in a call only after it. */
function offer(container: ServiceWorkerContainer, worker: ServiceWorker): void {
  if (releasesHeld()) {
    onReleasesFreed(() => offer(container, worker));
    return;
  }
  toast(i18next.t('release.ready'), {
    action: {
      label: i18next.t('release.reload'),
      onPress: () => {
        // Held again meanwhile: the message stays for later.
        if (releasesHeld()) {
          offer(container, worker);
          return;
        }
        container.addEventListener('controllerchange', () => window.location.reload(), {
          once: true,
        });
        worker.postMessage({ type: 'SKIP_WAITING' });
      },
    },
  });
}

/** After the page has what it needs: the worker's own loading must not slow the first one. */
export function startServiceWorkerAfterLoad(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  const start = () => {
    // A browser that forbids workers (private windows, policies) has an app all the same.
    startServiceWorker().catch(() => undefined);
  };
  if (document.readyState === 'complete') start();
  else window.addEventListener('load', start, { once: true });
}
