/**
 * A client of the televisit API for browsers, without React: typed operations, problems as errors,
 * and the stream of notices, shared by all tabs. README.md has the documentation.
 */
export { createClient } from './client';
export type { Client, ClientOptions } from './client';
export { Problem, Unreachable, isProblem } from './problem';
export type { Notice, NoticeHandlers, NoticeType, Notices, NoticesState } from './notices';
export { createNotices } from './notices';
export { createServerClock } from './server-clock';
export type { ServerClock } from './server-clock';
export type * from './types';
