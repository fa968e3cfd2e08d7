import { describe, expect, it, vi } from 'vitest';

import { createServerClock } from './server-clock';

const TOLD = '2026-11-24T08:50:00.000Z';

describe('the clock of the clinic', () => {
  it('goes on by a clock that cannot be set', () => {
    let mono = 1000;
    const clock = createServerClock(() => mono);
    clock.observe(TOLD);
    mono += 1500;
    expect(clock.now()).toBe(Date.parse(TOLD) + 1500);
  });

  it('is that of the machine before anything was told, and after nonsense', () => {
    const clock = createServerClock(() => 0);
    clock.observe('soon');
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1000);
  });

  it('says when what it said was wrong, and not when an answer was only slow', () => {
    const clock = createServerClock(() => 0);
    const set = vi.fn();
    const end = clock.onSet(set);
    clock.observe(TOLD);
    expect(set).toHaveBeenCalledTimes(1);
    clock.observe('2026-11-24T08:50:00.400Z');
    expect(set).toHaveBeenCalledTimes(1);
    clock.observe('2026-11-24T10:50:00.000Z');
    expect(set).toHaveBeenCalledTimes(2);
    end();
    clock.observe(TOLD);
    expect(set).toHaveBeenCalledTimes(2);
  });
});
