#!/usr/bin/env node
// @ts-check
// Tells the story of one video visit (story.mjs) against the stack that `make up` runs, or against
// one of its own that is gone afterwards. Exit status 0 only if every step held.

import { parseArgs } from 'node:util';

import { Stack, TestStack } from './stack.mjs';
import { tell } from './story.mjs';

const USAGE = `usage: make demo [DEMO="OPTIONS"]
  --notifiers N      with N notifiers (1)
  --kill-notifier    one of them is killed at the instant at which the call opens
  --own              a stack of its own even if one runs`;

/** @returns {{ notifiers: number, killNotifier: boolean, own: boolean }} */
function readOptions() {
  const { values } = parseArgs({ options: {
    notifiers: { type: 'string', default: '1' },
    'kill-notifier': { type: 'boolean', default: false },
    own: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  } });
  const notifiers = Number(values.notifiers);
  const killNotifier = values['kill-notifier'] ?? false;
  if (values.help || !Number.isInteger(notifiers) || notifiers < 1 || notifiers > 9) {
    throw new Error(USAGE);
  }
  if (killNotifier && notifiers < 2) {
    throw new Error('--kill-notifier needs another one to take over: --notifiers 2');
  }
  return { notifiers, killNotifier, own: values.own ?? false };
}

async function main() {
  // The step under way fails, and what was begun is cleaned up.
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => interruption.abort());
  const options = readOptions();
  const running = new Stack();
  const own = options.own || !(await running.isUp());
  if (own) console.log('no stack is asked for or none runs: one of its own starts');
  const stack = own ? await TestStack.start() : running;
  try {
    console.log(await tell(stack, options, interruption.signal));
  } finally {
    if (stack instanceof TestStack) await stack.remove();
    // The clock has gone past the windows of the clinic's own visits, which were settled.
    else await stack.ctl('seed');
  }
}

main().catch((fault) => {
  // A step that failed has told so by itself.
  console.error(`demo: ${fault instanceof Error ? fault.message : fault}`);
  process.exitCode = 1;
});
