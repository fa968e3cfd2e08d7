// @ts-check
// The story of `make demo`, as a test: with one notifier, and with two of which one is killed at
// the instant at which the call opens.

import { after, before, test } from 'node:test';

import { TestStack } from '../../tools/demo/stack.mjs';
import { tell } from '../../tools/demo/story.mjs';

/** @type {TestStack} */ let stack;

before(async () => {
  stack = await TestStack.start();
});

after(async () => {
  await stack?.remove();
});

// A step that does not hold fails the story, with what was expected and what was seen.
for (const options of [
  { notifiers: 1, killNotifier: false },
  { notifiers: 2, killNotifier: true },
]) {
  test(`the story holds with ${JSON.stringify(options)}`, { timeout: 180_000 }, async () => {
    await tell(stack, options, new AbortController().signal);
  });
}
