import { type RefObject, useEffect } from 'react';

/**
 * Devices and results come into what is observed one after the other, and push down what follows
 * it. A focus by keyboard that this would push out of sight is taken along: browsers hold on to
 * what is seen only where a page was scrolled already.
 */
export function useFocusKept(above: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = above.current;
    if (!element) return;
    let height = element.getBoundingClientRect().height;
    const observer = new ResizeObserver(() => {
      const was = height;
      height = element.getBoundingClientRect().height;
      const focused = document.activeElement;
      if (!focused?.matches(':focus-visible') || !follows(element, focused)) return;
      const { top, bottom } = focused.getBoundingClientRect();
      const pushed = height - was;
      const wasSeen = bottom - pushed > 0 && top - pushed < window.innerHeight;
      if (pushed > 0 && wasSeen) focused.scrollIntoView({ block: 'nearest' });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [above]);
}

function follows(element: Element, other: Element): boolean {
  return (
    (element.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0 &&
    !element.contains(other)
  );
}
