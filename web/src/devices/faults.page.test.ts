import { afterEach, expect, test, vi } from 'vitest';

import { cannotAsk, faultOf } from './faults';

afterEach(() => vi.unstubAllGlobals());

test.each([
  ['NotAllowedError', 'Permission denied', 'denied'],
  ['NotAllowedError', 'Permission dismissed', 'dismissed'],
  ['NotAllowedError', 'Permission denied by system', 'system'],
  ['NotAllowedError', 'The request is not allowed by the user agent or the platform', 'system'],
  ['SecurityError', '', 'denied'],
  ['NotFoundError', 'Requested device not found', 'missing'],
  ['NotReadableError', 'Could not start video source', 'busy'],
  ['AbortError', 'Starting videoinput failed', 'busy'],
  ['OverconstrainedError', '', 'unsuitable'],
  ['TypeError', '', 'unsupported'],
  ['InvalidStateError', '', 'unknown'],
])('%s "%s" is %s', (name, message, fault) => {
  expect(faultOf(new DOMException(message, name))).toBe(fault);
});

test.each([undefined, null, 'no', {}])('what is no error at all is unknown', (thrown) => {
  expect(faultOf(thrown)).toBe('unknown');
});

test('a page that came over http cannot ask', () => {
  vi.stubGlobal('isSecureContext', false);
  expect(cannotAsk()).toBe('insecure');
});

test('a browser without devices cannot ask', () => {
  vi.stubGlobal('isSecureContext', true);
  expect(cannotAsk()).toBe('unsupported'); // as jsdom is
});
