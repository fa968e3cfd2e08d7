import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { onWake, setAlarm } from './alarm';

function show(state: DocumentVisibilityState) {
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(state);
  document.dispatchEvent(new Event('visibilitychange'));
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  show('visible');
  vi.useRealTimers();
});

test('rings once, at its time', () => {
  const ring = vi.fn();
  setAlarm(12_000, ring);
  vi.advanceTimersByTime(11_999);
  expect(ring).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(ring).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(60_000);
  expect(ring).toHaveBeenCalledOnce();
});

test('the page has one timer for all, and none once nothing is waited for', () => {
  const off = [1_000, 2_000, 3_000].map((ms) => setAlarm(ms, () => undefined));
  expect(vi.getTimerCount()).toBe(1);
  for (const cancel of off) cancel();
  expect(vi.getTimerCount()).toBe(0);
});

test('a hidden page has no timer, and catches up when it is shown', () => {
  const ring = vi.fn();
  const woken = vi.fn();
  setAlarm(1_000, ring);
  const off = onWake(woken);
  show('hidden');
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(60_000);
  window.dispatchEvent(new Event('online'));
  expect(ring).not.toHaveBeenCalled();
  expect(woken).not.toHaveBeenCalled();
  show('visible');
  expect(ring).toHaveBeenCalledOnce();
  expect(woken).toHaveBeenCalledOnce();
  off();
  expect(vi.getTimerCount()).toBe(0);
});

test('notices that the machine slept: the clock on the wall went on alone', () => {
  const woken = vi.fn();
  const off = onWake(woken);
  vi.advanceTimersByTime(20_000);
  expect(woken).not.toHaveBeenCalled();
  vi.setSystemTime(Date.now() + 3_600_000);
  vi.advanceTimersByTime(5_000);
  expect(woken).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(20_000);
  expect(woken).toHaveBeenCalledOnce();
  off();
});

test('wakes when the network is back', () => {
  const woken = vi.fn();
  const off = onWake(woken);
  window.dispatchEvent(new Event('online'));
  expect(woken).toHaveBeenCalledOnce();
  off();
});
