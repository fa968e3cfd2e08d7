// Says something to people who do not see the screen. The two regions stand in the document from
// the first use on, and a dialog does not hide them (data-live-announcer).

export type Politeness = 'polite' | 'assertive';

const regions = new Map<Politeness, HTMLElement>();

function region(politeness: Politeness): HTMLElement {
  const found = regions.get(politeness);
  if (found?.isConnected) return found;
  const made = document.createElement('div');
  made.setAttribute('role', politeness === 'assertive' ? 'alert' : 'status');
  made.setAttribute('aria-live', politeness);
  made.dataset.liveAnnouncer = 'true';
  // Out of sight, not out of the tree; styles of its own because it stands outside of the app.
  Object.assign(made.style, {
    position: 'fixed',
    inlineSize: '1px',
    blockSize: '1px',
    overflow: 'hidden',
    clipPath: 'inset(50%)',
    whiteSpace: 'nowrap',
  });
  document.body.append(made);
  regions.set(politeness, made);
  return made;
}

/** A text stays so long: a reader that is still speaking finds it. */
const KEPT_MS = 7000;

export function announce(text: string, politeness: Politeness = 'polite'): void {
  const place = region(politeness);
  // An element of its own each time: the same words twice are said twice.
  const line = document.createElement('p');
  line.textContent = text;
  place.append(line);
  setTimeout(() => line.remove(), KEPT_MS);
}

/** Makes the regions before they are needed: readers pass over one that appears with its text. */
export function prepareAnnouncements(): void {
  region('polite');
  region('assertive');
}
