#!/usr/bin/env node
// @ts-check
// Lighthouse on the patient's dashboard, logged in, first visit, as a desktop and as a phone: the
// production build behind a gateway of its own. Exit status 1 below what we promise.

import { createRequire } from 'node:module';
import { createServer } from 'node:net';

import { launch } from './demo/media.mjs';
import { TestStack } from './demo/stack.mjs';

/** Of accessibility in both, of performance on the desktop: scores of 100. */
const LEAST = 95;
const CATEGORIES = ['performance', 'accessibility', 'best-practices', 'seo'];
/** What a first visit does not have; the session stays. */
const LEFT_BEHIND = 'service_workers,cache_storage,indexeddb,shader_cache';

/** @type {import('playwright-core')} */
const { chromium } = createRequire(new URL('./demo/', import.meta.url))('playwright-core');

async function load() {
  const root = new URL('./node/node_modules/lighthouse/core/', import.meta.url);
  const [{ default: lighthouse }, { default: desktop }] = await Promise.all(
    ['index.js', 'config/desktop-config.js'].map((file) => import(new URL(file, root).href)));
  return { lighthouse, desktop };
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => done(port));
    });
  });
}

/**
 * Logs in as a patient in the profile that Lighthouse uses, and leaves nothing else there.
 * @param {import('playwright-core').Browser} browser connected to its default profile
 * @param {any} info of the stack
 */
async function logIn(browser, info) {
  const { clinic, password, people } = info.demo;
  const { email } = people.find((/** @type {any} */ person) => person.role === 'PATIENT');
  const page = await browser.contexts()[0].newPage();
  await page.goto(`${info.publicUrl}/login?clinic=${clinic}`);
  await page.locator('input[autocomplete="username"]').fill(email);
  await page.locator('input[autocomplete="current-password"]').fill(password);
  await page.keyboard.press('Enter');
  await page.locator('main h2').first().waitFor();
  return page;
}

/** @param {import('playwright-core').Page} page @param {string} origin */
async function forgetFiles(page, origin) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Network.clearBrowserCache');
  await devtools.send('Storage.clearDataForOrigin', { origin, storageTypes: LEFT_BEHIND });
}

/** @param {any} result @param {'desktop' | 'phone'} how */
function report({ lhr }, how) {
  const scores = CATEGORIES.map((name) => [name, Math.round(100 * lhr.categories[name].score)]);
  console.log(`${how}: ${scores.map(([name, score]) => `${name} ${score}`).join(', ')}`);
  for (const id of ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time',
    'cumulative-layout-shift']) {
    console.log(`  ${lhr.audits[id].title}: ${lhr.audits[id].displayValue}`);
  }
  for (const name of CATEGORIES.slice(1)) {
    for (const { id, weight } of lhr.categories[name].auditRefs) {
      const { score, title } = lhr.audits[id];
      if (weight > 0 && score !== null && score < 1) console.log(`  not met (${name}): ${title}`);
    }
  }
  const of = Object.fromEntries(scores);
  return of.accessibility >= LEAST && (how === 'phone' || of.performance >= LEAST);
}

async function main() {
  const { lighthouse, desktop } = await load();
  const stack = await TestStack.start();
  /** @type {import('playwright-core').Browser | null} */ let browser = null;
  try {
    const info = await stack.info();
    const port = await freePort();
    browser = await launch([`--remote-debugging-port=${port}`]);
    const profile = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
    const page = await logIn(profile, info);
    const origin = new URL(info.publicUrl).origin;
    let isGood = true;
    for (const how of /** @type {const} */ (['desktop', 'phone'])) {
      await page.goto('about:blank');
      await forgetFiles(page, origin);
      const result = await lighthouse(`${origin}/`, { port, logLevel: 'error',
        onlyCategories: CATEGORIES, disableStorageReset: true },
      how === 'desktop' ? desktop : undefined);
      if (new URL(result.lhr.finalDisplayedUrl).pathname !== '/')
        throw new Error(`it was led away, to ${result.lhr.finalDisplayedUrl}`);
      isGood = report(result, how) && isGood;
    }
    if (!isGood) {
      console.error(`below ${LEAST}: accessibility, or performance on a desktop`);
      process.exitCode = 1;
    }
  } finally {
    await browser?.close();
    await stack.remove();
  }
}

await main();
