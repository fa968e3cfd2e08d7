import { expect, test } from 'vitest';

import { createEventParser, type StreamEvent } from './event-parser';

function parse(...pieces: string[]) {
  const events: StreamEvent[] = [];
  const retries: number[] = [];
  const feed = createEventParser({
    onEvent: (event) => events.push(event),
    onRetry: (ms) => retries.push(ms),
  });
  pieces.forEach(feed);
  return { events, retries };
}

const WHOLE = 'retry: 2500\n\n: beat\n\nid: 7\nevent: call.waiting\ndata: {"a":\ndata: 1}\n\n';

test('reads an event, its comments and how long to wait', () => {
  const { events, retries } = parse(WHOLE);
  expect(events).toEqual([{ type: 'call.waiting', data: '{"a":\n1}', id: '7' }]);
  expect(retries).toEqual([2500]);
});

test.each([1, 2, 3, 7])('reads the same in pieces of %i characters', (length) => {
  const pieces = WHOLE.match(new RegExp(`[^]{1,${length}}`, 'g')) ?? [];
  expect(parse(...pieces)).toEqual(parse(WHOLE));
});

test.each([
  ['CR LF', '\r\n'],
  ['CR', '\r'],
])('reads lines that end with %s, also when a piece ends between', (_, end) => {
  const text = WHOLE.replaceAll('\n', end) + ': more';
  expect(parse(...text.split('')).events).toEqual(parse(WHOLE).events);
});

test('an event without data is none, and an id holds for its own event', () => {
  const { events } = parse('id: 9\n\ndata: x\n\n');
  expect(events).toEqual([{ type: 'message', data: 'x', id: '' }]);
});

test('an unfinished event is not told', () => {
  expect(parse('id: 1\ndata: x\n').events).toEqual([]);
});

test('an event without an end is an error, in one line or in many', () => {
  expect(() => parse('data: ' + 'x'.repeat(70_000))).toThrow(RangeError);
  expect(() => parse('data: xxxxxxxx\n'.repeat(6_000))).toThrow(RangeError);
  expect(() => parse(': beat\n\n'.repeat(20_000))).not.toThrow();
});
