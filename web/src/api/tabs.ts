// How the tabs of one browser talk and take turns. Both exist in every browser of today; where one
// is missing (an old browser, a page without https) each tab stands for itself.

export interface Channel<T> {
  post(message: T): void;
  close(): void;
}

/** A channel to the other tabs of this origin; `onMessage` gets what they post. */
export function openChannel<T>(name: string, onMessage: (message: T) => void): Channel<T> {
  if (typeof BroadcastChannel === 'undefined')
    return { post: () => undefined, close: () => undefined };
  const channel = new BroadcastChannel(name);
  channel.onmessage = (event: MessageEvent<T>) => onMessage(event.data);
  let closed = false;
  return {
    post: (message) => {
      if (!closed) channel.postMessage(message);
    },
    close: () => {
      closed = true;
      channel.close();
    },
  };
}

export function canShare(): boolean {
  return typeof BroadcastChannel !== 'undefined' && locks() !== undefined;
}

/** Does `work` while no other tab does work of this name. Gives up waiting when `signal` says so. */
export async function inTurn<T>(
  name: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const manager = locks();
  return manager ? await manager.request(name, { signal }, work) : work();
}

function locks(): LockManager | undefined {
  // Absent outside of secure contexts, whatever the types say.
  return (globalThis.navigator as Partial<Navigator> | undefined)?.locks;
}
