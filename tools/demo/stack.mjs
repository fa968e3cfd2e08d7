// @ts-check
// The stack as a program sees it: tools/stackctl, called and read.

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const stackctl = path.join(root, 'tools/stackctl');

export class Stack {
  /** @param {string} dir where the stack is kept */
  constructor(dir = process.env.STACK_DIR || path.join(root, 'build/stack')) {
    this.dir = dir;
  }

  /**
   * Runs a command of stackctl; its one line of reason is the error.
   * @param {string[]} words
   */
  async ctl(...words) {
    try {
      return (await run(stackctl, ['--dir', this.dir, ...words])).stdout.trim();
    } catch (fault) {
      const { stdout, stderr, message } =
        /** @type {{ stdout?: string, stderr?: string, message: string }} */ (fault);
      const reason = stderr?.trim() || stdout?.trim() || message;
      throw new Error(`stackctl ${words.join(' ')}: ${reason}`);
    }
  }

  async info() {
    return JSON.parse(await this.ctl('info'));
  }

  /** Whether the gateway of this stack runs. */
  async isUp() {
    const info = await this.info().catch(() => null);
    return info?.parts.gateway.state === 'ready';
  }

  /**
   * The clock that the services go by, moved or only read; milliseconds before the true one.
   * @param {string[]} shift
   * @returns {Promise<{ now: string, offsetMs: number }>}
   */
  async clock(...shift) {
    return JSON.parse(await this.ctl('clock', ...shift, '--json'));
  }
}

/** A stack of one's own, on free ports, gone without trace afterwards. */
export class TestStack extends Stack {
  /**
   * @param {string[]} parts none: all
   * @param {string[]} settings PART:NAME=VALUE, for our programs
   */
  static async start(parts = [], settings = []) {
    const stack = new TestStack(await mkdtemp(path.join(os.tmpdir(), 'televisit-')));
    const variant = process.env.VARIANT ? ['--variant', process.env.VARIANT] : [];
    const given = settings.flatMap((setting) => ['--set', setting]);
    try {
      await stack.ctl('up', '--detach', '--ports', 'free', ...variant, ...given, ...parts);
    } catch (fault) {
      await stack.remove();
      throw fault;
    }
    return stack;
  }

  async remove() {
    await this.ctl('reset').catch(() => {});
    await rm(this.dir, { recursive: true, force: true });
  }
}
