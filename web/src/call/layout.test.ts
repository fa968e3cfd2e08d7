import { describe, expect, test } from 'vitest';

import { arrange, cornerAt, CORNERS, initialsOf, nextCorner } from './layout';

const me = { name: 'me', isMine: true, isScreen: false };
const other = { name: 'other', isMine: false, isScreen: false };
const third = { name: 'third', isMine: false, isScreen: false };
const screen = { name: 'screen', isMine: false, isScreen: true };
const newerScreen = { name: 'newer', isMine: false, isScreen: true };
const myScreen = { name: 'my screen', isMine: true, isScreen: true };

describe('who is shown how', () => {
  test.each([
    ['nobody yet', [], { kind: 'alone', main: [], aside: [], corner: null }],
    ['alone', [me], { kind: 'alone', main: [me], aside: [], corner: null }],
    ['two', [me, other], { kind: 'duo', main: [other], aside: [], corner: me }],
    [
      'three',
      [me, other, third],
      { kind: 'grid', main: [other, third, me], aside: [], corner: null },
    ],
    [
      'a screen',
      [me, other, screen],
      { kind: 'screen', main: [screen], aside: [other, me], corner: null },
    ],
    [
      'two screens',
      [screen, me, other, newerScreen],
      { kind: 'screen', main: [newerScreen], aside: [other, me], corner: null },
    ],
    ['my own screen', [me, other, myScreen], { kind: 'duo', main: [other], aside: [], corner: me }],
  ])('%s', (_, tracks, arrangement) => {
    expect(arrange(tracks)).toEqual(arrangement);
  });
});

describe('the corner of oneself', () => {
  test('goes round', () => {
    const round = [...CORNERS];
    expect(round.map(nextCorner)).toEqual([...round.slice(1), round[0]]);
  });

  test.each([
    [0.1, 0.1, 'ltr', 'start-start'],
    [0.9, 0.1, 'ltr', 'start-end'],
    [0.1, 0.1, 'rtl', 'start-end'],
    [0.9, 0.9, 'rtl', 'end-start'],
    [0.9, 0.9, 'ltr', 'end-end'],
  ] as const)('at %f, %f in %s it is %s', (x, y, direction, corner) => {
    expect(cornerAt(x, y, direction)).toBe(corner);
  });
});

test.each([
  ['Pia Sommer', 'PS'],
  ['Dr. Ada Lindqvist', 'AL'],
  ['Prof. Dr. Maria de la Cruz', 'MC'],
  ['Madonna', 'M'],
  ['ليلى حداد', 'لح'],
  ['', ''],
])('%s: %s', (name, initials) => {
  expect(initialsOf(name)).toBe(initials);
});
