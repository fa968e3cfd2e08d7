// @ts-check
// What is measured of how a page lies on the screen. Each function answers with what is wrong.

/** @typedef {import('playwright-core').Page} Page */

/** Elements that make the page wider than the screen. @param {Page} page */
export function widerThanScreen(page) {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const wide = [...document.querySelectorAll('body *')].filter((element) => {
      const { left, right, width } = element.getBoundingClientRect();
      return width > 0 && (right > clientWidth + 1 || left < -1);
    });
    return [`${scrollWidth} px`, ...wide.map((element) => element.outerHTML.slice(0, 120))];
  });
}

/** Texts of which a part cannot be seen, because their box hides what is too much. */
export function cutTexts(/** @type {Page} */ page) {
  return page.evaluate(() => [...document.querySelectorAll('body *')].flatMap((element) => {
    const { overflowX, overflowY, clipPath, position } = getComputedStyle(element);
    const { width, height } = element.getBoundingClientRect();
    // What is there for the ear only is 1 px large on purpose.
    if (!element.textContent?.trim() || width <= 1 || height <= 1) return [];
    if (clipPath !== 'none' && position !== 'static') return [];
    const isCut = (overflowX !== 'visible' && overflowX !== 'auto' && overflowX !== 'scroll'
      && element.scrollWidth > element.clientWidth + 1)
      || (['hidden', 'clip'].includes(overflowY)
        && element.scrollHeight > element.clientHeight + 1);
    return isCut && element.tagName !== 'SELECT' ? [element.outerHTML.slice(0, 160)] : [];
  }));
}

/**
 * What is pressed and is smaller than a finger: 44 px, or 24 px for a link within a text.
 * @param {Page} page
 */
export function smallTargets(page) {
  return page.evaluate(() => {
    const pressed = 'a[href], button, input, select, textarea, summary, [role="button"]';
    return [...document.querySelectorAll(pressed)].flatMap((element) => {
      const label = /** @type {any} */ (element).labels?.[0];
      const isBox = element.matches('input[type="radio"], input[type="checkbox"]');
      const target = isBox && label ? label : element;
      const { width, height } = target.getBoundingClientRect();
      const style = getComputedStyle(target);
      if (width <= 1 || height <= 1 || style.visibility === 'hidden') return [];
      // Off the screen until it has the focus.
      if (target.getBoundingClientRect().bottom < 0) return [];
      const least = element.tagName === 'A' && style.display === 'inline' ? 24 : 44;
      const isSmall = height < least - 0.5 || (least === 44 && width < least - 0.5);
      return isSmall ? [`${Math.round(width)} x ${Math.round(height)}: ${
        element.outerHTML.slice(0, 140)}`] : [];
    });
  });
}
