import type { FieldError, Problem as ProblemDetails } from './schema';

/**
 * An answer that says no: problem details (RFC 9457) as an error. `slug` is the last part of its
 * `type` and says what happened ("slot-taken", "too-early"); texts for people are made from it.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly slug: string;
  /** In English, for whoever reads the log. */
  readonly detail: string;
  /** What is wrong where, of an answer `invalid`. Pointers as in RFC 6901. */
  readonly fields: readonly FieldError[];
  /** Seconds after which the same may be asked again. */
  readonly retryAfterSeconds: number | undefined;
  readonly details: ProblemDetails;

  constructor(details: ProblemDetails) {
    super(details.detail ?? details.title);
    this.details = details;
    this.status = details.status;
    this.slug = details.type.slice(details.type.lastIndexOf('/') + 1);
    this.detail = details.detail ?? '';
    this.fields = details.errors ?? [];
    // The API writes out what is zero.
    const retryAfterSeconds = details.retryAfterSeconds ?? 0;
    this.retryAfterSeconds = retryAfterSeconds > 0 ? retryAfterSeconds : undefined;
  }
}

/** No answer came: the server, or the way to it, is away. What was asked may have happened. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** Whether this is the problem with that slug. */
export function isProblem(error: unknown, slug?: string): error is Problem {
  return error instanceof Problem && (slug === undefined || error.slug === slug);
}

/** The problem that an answer tells. */
export async function problemOf(response: Response): Promise<Problem> {
  return asProblem(await response.text(), response);
}

/** As `problemOf`, of an answer whose body was read: as JSON, or as text when it was none. */
export function asProblem(body: unknown, { status, headers }: Response): Problem {
  const retryAfterSeconds = Number(headers.get('Retry-After')) || undefined;
  const details = typeof body === 'string' ? parsed(body) : body;
  if (isDetails(details)) return new Problem({ retryAfterSeconds, ...details });
  // Something in between answers in its own words.
  const slug = SLUGS[status] ?? (status >= 500 ? 'unavailable' : 'invalid');
  const title = `The answer was ${status}`;
  return new Problem({ type: `/problems/${slug}`, title, status, retryAfterSeconds });
}

const SLUGS: Partial<Record<number, string>> = {
  403: 'forbidden',
  404: 'not-found',
  413: 'too-large',
  429: 'rate-limited',
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isDetails(body: unknown): body is ProblemDetails {
  if (typeof body !== 'object' || body === null) return false;
  const { type, title, status } = body as Partial<ProblemDetails>;
  return typeof type === 'string' && typeof title === 'string' && typeof status === 'number';
}
