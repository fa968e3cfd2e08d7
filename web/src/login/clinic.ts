// Which clinic somebody logs in to: named by the link, else as last time in this browser.

const STORED = 'televisit.clinic';
const SHORT_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** As people write it: with blanks around it, or in capitals. */
export function shortName(written: string): string {
  return written.trim().toLowerCase();
}

export function isShortName(text: string): boolean {
  return SHORT_NAME.test(text);
}

/** Empty when nobody knows yet. */
export function knownClinic(parameter: string | null): string {
  const named = shortName(parameter ?? '');
  return isShortName(named) ? named : (localStorage.getItem(STORED) ?? '');
}

export function rememberClinic(clinic: string): void {
  localStorage.setItem(STORED, clinic);
}
