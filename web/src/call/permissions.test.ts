import { expect, test } from 'vitest';

import { isAllowed } from './permissions';

test.each([
  ['screen', undefined, true],
  ['screen', [], true],
  ['screen', [1, 2], false],
  ['screen', [1, 2, 3], true],
  ['camera', [2], false],
  ['microphone', [2], true],
] as const)('%s with %o: %s', (sender, allowed, is) => {
  expect(isAllowed(sender, allowed)).toBe(is);
});
