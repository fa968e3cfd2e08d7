// How the app reads: what is asked again by itself, when, and how long an answer counts as new.

import { QueryClient } from '@tanstack/react-query';

import { Problem, Unreachable } from '../api';

const RETRIES = 3;
const RETRY_MAX_MS = 10_000;
/** Notices say what is stale; this only keeps two parts of one screen from asking twice. */
const STALE_MS = 5_000;

/** Whether asking the same again may help: the way is down, or the server says "later". */
function mayPass(error: unknown): boolean {
  if (error instanceof Unreachable) return true;
  return error instanceof Problem && [502, 503, 504].includes(error.status);
}

export function retry(failures: number, error: unknown): boolean {
  return failures < RETRIES && mayPass(error);
}

/** What the server asks for, else longer each time; never all pages at the same instant. */
export function retryDelay(failures: number, error: unknown): number {
  const asked = error instanceof Problem ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
  const ownPace = Math.min(1000 * 2 ** failures, RETRY_MAX_MS);
  return Math.max(asked, ownPace) + Math.random() * 500;
}

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { retry, retryDelay, staleTime: STALE_MS },
      // What changes something is repeated by people, or by a screen that knows it is safe.
      mutations: { retry: false },
    },
  });
}
