// @ts-check
// A page as somebody has it who has no mouse.

import assert from 'node:assert/strict';

import { until } from '../../tools/demo/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** More stops than any page has. */
const STOPS_MAX = 80;
/** What comes into the page meanwhile may push it away for a moment. */
const SEEN_MS = 2000;

/** What the element with the focus is called. @param {Page} page @returns {Promise<string>} */
export function nameOfFocus(page) {
  return page.evaluate(() => {
    const element = /** @type {any} */ (document.activeElement);
    const said = element.getAttribute('aria-label')
      ?? (element.getAttribute('aria-labelledby') ?? '').split(' ').filter(Boolean)
        .map((/** @type {string} */ id) => document.getElementById(id)?.textContent).join(' ');
    const labels = [...(element.labels ?? [])].map((label) => label.textContent).join(' ');
    return (said || labels || element.textContent).trim().replace(/\s+/g, ' ');
  });
}

/**
 * Whether the focus can be seen: an outline or a ring on the element, or, where a box is hidden
 * behind its label, on that; and on the screen.
 * @param {Page} page
 */
function isFocusSeen(page) {
  return page.evaluate(() => {
    const element = /** @type {any} */ (document.activeElement);
    const isRinged = (/** @type {Element | null | undefined} */ one) => {
      if (!one) return false;
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
      const box = one.getBoundingClientRect();
      const onScreen = box.bottom > 0 && box.top < innerHeight && box.right > 0
        && box.left < innerWidth && box.width > 1;
      return onScreen && ((outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2)
        || boxShadow !== 'none');
    };
    return isRinged(element) || isRinged(element.labels?.[0]) || isRinged(element.parentElement);
  });
}

/** @param {Page} page */
export async function assertFocusSeen(page) {
  const name = await nameOfFocus(page);
  await until(() => isFocusSeen(page), SEEN_MS, `the focus on "${name}" is not seen`);
}

/**
 * Presses Tab until the focus is on what has this name; each stop on the way must be seen.
 * @param {Page} page
 * @param {RegExp} name
 */
export async function tabTo(page, name) {
  /** @type {string[]} */ const stops = [];
  for (let i = 0; i < STOPS_MAX; i += 1) {
    await page.keyboard.press('Tab');
    const stop = await nameOfFocus(page);
    if (await page.evaluate(() => document.activeElement !== document.body))
      await assertFocusSeen(page);
    if (name.test(stop)) return;
    stops.push(stop.slice(0, 40));
  }
  assert.fail(`Tab does not come to ${name}, but to: ${stops.join(' | ')}`);
}
