import { act, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { useDebounced } from './useDebounced';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test('only what stands still is taken', () => {
  const { result, rerender } = renderHook(({ typed }) => useDebounced(typed, 250), {
    initialProps: { typed: '' },
  });
  const pass = (ms: number) => act(() => void vi.advanceTimersByTime(ms));
  for (const typed of ['r', 'ro', 'ros']) {
    rerender({ typed });
    pass(249);
    expect(result.current).toBe('');
  }
  pass(1);
  expect(result.current).toBe('ros');
});
