/**
 * Where to go after the log-in, from the address. Only a path of ours: a link that somebody was
 * sent must not lead to another site through our log-in page.
 */
export function ownPath(next: string | null, origin: string = window.location.origin): string {
  if (!next?.startsWith('/')) return '/';
  let url: URL;
  try {
    url = new URL(next, origin);
  } catch {
    return '/';
  }
  // "//evil.example" and "/\evil.example" are other origins; the log-in page would lead to itself.
  if (url.origin !== origin || url.pathname === '/login') return '/';
  return url.pathname + url.search + url.hash;
}
