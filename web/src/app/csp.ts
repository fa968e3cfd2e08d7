// Keeps React Aria from writing a <style> element, which the content security policy forbids and
// every browser would report. It first looks for an element with this id; its one rule stands in
// styles/base.css.

const PRESSABLE_STYLE = 'react-aria-pressable-style';

export function keepStylesOutOfThePage(): void {
  if (document.getElementById(PRESSABLE_STYLE)) return;
  const mark = document.createElement('meta');
  mark.id = PRESSABLE_STYLE;
  document.head.append(mark);
}
