/** An event of a stream (text/event-stream), as it was dispatched. */
export interface StreamEvent {
  type: string;
  data: string;
  /** Of this event; empty: it has none. */
  id: string;
}

export interface EventParserHandlers {
  onEvent: (event: StreamEvent) => void;
  /** How long to wait before connecting again, as the server wishes. */
  onRetry: (ms: number) => void;
}

/** Far above any event of the server; a stream that has more in one is none of ours. */
const EVENT_CHARS_MAX = 65_536;

/**
 * Reads a stream of events as the HTML standard describes it, piece by piece. Throws a RangeError
 * when an event has no end.
 */
export function createEventParser(handlers: EventParserHandlers): (piece: string) => void {
  let rest = '';
  let type = '';
  let data: string[] = [];
  let id = '';
  let chars = 0;

  function dispatch() {
    if (data.length > 0) handlers.onEvent({ type: type || 'message', data: data.join('\n'), id });
    type = '';
    data = [];
    id = '';
    chars = 0;
  }

  function take(line: string) {
    if (line === '') {
      dispatch();
      return;
    }
    chars += line.length;
    if (chars > EVENT_CHARS_MAX) throw new RangeError('An event of the stream is too long');
    const colon = line.indexOf(':');
    if (colon === 0) {
      chars -= line.length; // a comment
      return;
    }
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') type = value;
    else if (name === 'data') data.push(value);
    else if (name === 'id') id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) handlers.onRetry(Number(value));
  }

  return (piece) => {
    // A line ends with CR, LF or both; a CR at the end of a piece may have its LF in the next.
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    if (rest.length > EVENT_CHARS_MAX) throw new RangeError('A line of the stream is too long');
    lines.forEach(take);
  };
}
