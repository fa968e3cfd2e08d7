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
    this.retryAfterSeconds = details.retryAfterSeconds;
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
