import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { loadScreen } from './pages';
import { holdReleases, onReleasesFreed, reloadOnce } from './release';

beforeEach(() => sessionStorage.clear());
afterEach(() => holdReleases(false));

test('loads the page again once, not over and over', () => {
  const reload = vi.fn();
  expect(reloadOnce(reload)).toBe(true);
  expect(reloadOnce(reload)).toBe(false);
  expect(reload).toHaveBeenCalledOnce();
});

test('not in a call, and not without a network', () => {
  const reload = vi.fn();
  holdReleases(true);
  expect(reloadOnce(reload)).toBe(false);
  holdReleases(false);
  vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
  expect(reloadOnce(reload)).toBe(false);
  expect(reload).not.toHaveBeenCalled();
});

test('who waits for the end of the call is told once', () => {
  const freed = vi.fn();
  holdReleases(true);
  onReleasesFreed(freed);
  holdReleases(false);
  holdReleases(false);
  expect(freed).toHaveBeenCalledOnce();
});

test('a chunk that is gone and cannot be had by loading again is an error', async () => {
  holdReleases(true);
  const gone = () => Promise.reject(new TypeError('Failed to fetch dynamically imported module'));
  await expect(loadScreen(gone)).rejects.toThrow('dynamically imported');
});
