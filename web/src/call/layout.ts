// Who is shown how: decided from what there is to show, without looking at it.

/** As much of a track as the layout needs to know. */
export interface Shown {
  isMine: boolean;
  isScreen: boolean;
}

export interface Arrangement<T> {
  /** alone: only oneself; duo: the other one big; grid: all alike; screen: one screen, tiles aside. */
  kind: 'alone' | 'duo' | 'grid' | 'screen';
  main: T[];
  aside: T[];
  /** Oneself, small, above the rest. */
  corner: T | null;
}

/** Cameras in the order they came; of several shared screens the newest is looked at. */
export function arrange<T extends Shown>(tracks: readonly T[]): Arrangement<T> {
  const cameras = tracks.filter((track) => !track.isScreen);
  const others = cameras.filter((track) => !track.isMine);
  const mine = cameras.filter((track) => track.isMine);
  // Not one's own screen: it would show itself without end.
  const screen = tracks.findLast((track) => track.isScreen && !track.isMine);
  if (screen) return { kind: 'screen', main: [screen], aside: [...others, ...mine], corner: null };
  if (others.length === 0) return { kind: 'alone', main: mine, aside: [], corner: null };
  if (others.length === 1) return { kind: 'duo', main: others, aside: [], corner: mine[0] ?? null };
  return { kind: 'grid', main: [...others, ...mine], aside: [], corner: null };
}

export const CORNERS = ['end-end', 'end-start', 'start-start', 'start-end'] as const;
/** Block edge first, as in CSS. */
export type Corner = (typeof CORNERS)[number];

export function nextCorner(corner: Corner): Corner {
  return CORNERS[(CORNERS.indexOf(corner) + 1) % CORNERS.length] ?? CORNERS[0];
}

/** The corner that a point is nearest to; `x` and `y` are parts of width and height. */
export function cornerAt(x: number, y: number, direction: 'ltr' | 'rtl'): Corner {
  const block = y < 0.5 ? 'start' : 'end';
  const inline = x < 0.5 === (direction === 'ltr') ? 'start' : 'end';
  return `${block}-${inline}`;
}

/** "PS" of "Pia Sommer", "AL" of "Dr. Ada Lindqvist". */
export function initialsOf(name: string): string {
  const words = name.split(/\s+/).filter((word) => /^\p{L}/u.test(word) && !word.endsWith('.'));
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends.map((word) => Array.from(word ?? '')[0] ?? '').join('');
}
