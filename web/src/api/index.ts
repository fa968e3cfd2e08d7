/**
 * A client of the televisit API for browsers, without React: typed operations, problems as errors,
 * and the stream of notices, shared by all tabs. README.md has the documentation.
 */
export { createClient } from './client';
export type { Change, Client, ClientOptions } from './client';
export type { SessionChange } from './session';
export { Problem, Unreachable, isProblem } from './problem';
export type {
  Notice,
  NoticeHandlers,
  Notices,
  NoticesOptions,
  NoticesState,
  NoticeType,
} from './notices';
export { createNotices, NOTICE_TYPES } from './notices';
export { createServerClock } from './server-clock';
export type { ServerClock } from './server-clock';
export type * from './types';
