import createFetch, { type Middleware } from 'openapi-fetch';

import { Problem, Unreachable } from './problem';
import type * as schema from './schema';
import type { ServerClock } from './server-clock';
import type {
  Appointment,
  AppointmentStatus,
  Availability,
  BookRequest,
  Clinic,
  Doctor,
  JoinAnswer,
  ListCallsReply,
  ListInboxReply,
  LogInRequest,
  MoveRequest,
  NoShow,
  Person,
  Slot,
  WeeklyHours,
} from './types';

export interface ClientOptions {
  /** Origin of the gateway; empty: the page's own. */
  baseUrl?: string;
  /** Learns the time from each answer that tells it. */
  clock?: ServerClock;
  /** Called when the session is over and could not be renewed. */
  onSessionEnd?: () => void;
  fetch?: typeof globalThis.fetch;
}

/** What an appointment is changed by: its version, so that nobody overwrites what they never saw. */
export type Change = Pick<Appointment, 'id' | 'version'>;

export type Client = ReturnType<typeof createClient>;

const PAGE = 100;

/**
 * The operations of the API for a browser with a cookie session. Each returns what the API
 * documents or throws a Problem or Unreachable. A session that has run out is renewed once, quietly,
 * and the request repeated; tabs take turns at it, because a refresh token is good for one use.
 */
export function createClient(options: ClientOptions = {}) {
  const { clock } = options;
  const api = createFetch<schema.paths>({
    baseUrl: options.baseUrl ?? '',
    credentials: 'same-origin',
    ...(options.fetch && { fetch: options.fetch }),
  });
  const middleware: Middleware = {
    onError: ({ error }) => new Unreachable('The server cannot be reached', { cause: error }),
  };
  api.use(middleware);

  /** The data of an answer, or its problem thrown. */
  function unwrap<T>(answer: { data?: T; error?: unknown; response: Response }): T {
    if (answer.error !== undefined) throw asProblem(answer.error, answer.response);
    return answer.data as T;
  }

  function seen(answer: schema.Appointment): Appointment {
    const appointment = answer as Appointment;
    clock?.observe(appointment.join.serverTime);
    return appointment;
  }

  const ifMatch = (change: Change) => ({ 'If-Match': `"${change.version}"` });

  return {
    logIn: async (credentials: Omit<LogInRequest, 'cookie'>): Promise<Person> => {
      const session = unwrap(
        await api.POST('/v1/session', { body: { ...credentials, cookie: true } }),
      );
      return session.person as Person;
    },
    logOut: async (): Promise<void> => {
      unwrap(await api.DELETE('/v1/session'));
    },
    me: async (): Promise<Person> => unwrap(await api.GET('/v1/me')),
    clinic: async (): Promise<Clinic> => unwrap(await api.GET('/v1/clinic')) as Clinic,
    doctors: async (): Promise<readonly Doctor[]> => unwrap(await api.GET('/v1/doctors')).doctors,
    slots: async (doctorId: string, from: string, days: number): Promise<readonly Slot[]> =>
      unwrap(
        await api.GET('/v1/doctors/{doctorId}/slots', {
          params: { path: { doctorId }, query: { from, days } },
        }),
      ).slots as Slot[],
    availability: async (doctorId: string): Promise<Availability> =>
      unwrap(
        await api.GET('/v1/doctors/{doctorId}/availability', { params: { path: { doctorId } } }),
      ),
    putAvailability: async (
      doctorId: string,
      hours: readonly WeeklyHours[],
    ): Promise<Availability> =>
      unwrap(
        await api.PUT('/v1/doctors/{doctorId}/availability', {
          params: { path: { doctorId } },
          body: { hours: [...hours] },
        }),
      ),
    /** All that start in the span, in order; reads as many pages as there are. */
    appointments: async (span: {
      from?: string;
      to?: string;
      status?: AppointmentStatus;
    }): Promise<Appointment[]> => {
      const found: Appointment[] = [];
      let cursor = '';
      do {
        const page = unwrap(
          await api.GET('/v1/appointments', {
            params: { query: { ...span, limit: PAGE, ...(cursor && { cursor }) } },
          }),
        );
        found.push(...page.appointments.map(seen));
        cursor = page.nextCursor;
      } while (cursor !== '');
      return found;
    },
    appointment: async (appointmentId: string): Promise<Appointment> =>
      seen(
        unwrap(
          await api.GET('/v1/appointments/{appointmentId}', {
            params: { path: { appointmentId } },
          }),
        ),
      ),
    calls: async (appointmentId: string): Promise<ListCallsReply> =>
      unwrap(
        await api.GET('/v1/appointments/{appointmentId}/calls', {
          params: { path: { appointmentId } },
        }),
      ),
    /** `key` makes a repetition harmless: the same key and request book once. */
    book: async (request: BookRequest, key: string): Promise<Appointment> =>
      seen(
        unwrap(
          await api.POST('/v1/appointments', {
            params: { header: { 'Idempotency-Key': key } },
            body: request,
          }),
        ),
      ),
    confirm: async (change: Change): Promise<Appointment> =>
      seen(
        unwrap(
          await api.POST('/v1/appointments/{appointmentId}/confirm', {
            params: { path: { appointmentId: change.id }, header: ifMatch(change) },
            body: {},
          }),
        ),
      ),
    decline: async (change: Change, note: string): Promise<Appointment> =>
      seen(
        unwrap(
          await api.POST('/v1/appointments/{appointmentId}/decline', {
            params: { path: { appointmentId: change.id }, header: ifMatch(change) },
            body: { note },
          }),
        ),
      ),
    cancel: async (change: Change, note: string): Promise<Appointment> =>
      seen(
        unwrap(
          await api.POST('/v1/appointments/{appointmentId}/cancel', {
            params: { path: { appointmentId: change.id }, header: ifMatch(change) },
            body: { note },
          }),
        ),
      ),
    move: async (change: Change, to: MoveRequest): Promise<Appointment> =>
      seen(
        unwrap(
          await api.POST('/v1/appointments/{appointmentId}/move', {
            params: { path: { appointmentId: change.id }, header: ifMatch(change) },
            body: to,
          }),
        ),
      ),
    complete: async (change: Change, note: string): Promise<Appointment> =>
      seen(
        unwrap(
          await api.POST('/v1/appointments/{appointmentId}/complete', {
            params: { path: { appointmentId: change.id }, header: ifMatch(change) },
            body: { note },
          }),
        ),
      ),
    noShow: async (change: Change, side: NoShow, note: string): Promise<Appointment> =>
      seen(
        unwrap(
          await api.POST('/v1/appointments/{appointmentId}/no-show', {
            params: { path: { appointmentId: change.id }, header: ifMatch(change) },
            body: { side, note },
          }),
        ),
      ),
    /** Ends the call for everybody and completes the appointment; of the doctor. */
    end: async (appointmentId: string): Promise<Appointment> =>
      seen(
        unwrap(
          await api.POST('/v1/appointments/{appointmentId}/end', {
            params: { path: { appointmentId } },
            body: {},
          }),
        ),
      ),
    /**
     * Asks for a way into the call. `takeOver` also when the caller is in it on another device,
     * which is then put out; without it that is the problem `already-in-call`.
     */
    joinAppointment: async (
      appointmentId: string,
      as: 'patient' | 'doctor',
      more: { takeOver?: boolean } = {},
    ): Promise<JoinAnswer> =>
      unwrap(
        await api.POST('/v1/appointments/{appointmentId}/join', {
          params: { path: { appointmentId } },
          body: {
            participantType: as === 'doctor' ? 'DOCTOR' : 'PATIENT',
            takeOver: more.takeOver ?? false,
          },
        }),
      ) as JoinAnswer,
    inbox: async (after: number, limit: number): Promise<ListInboxReply> =>
      unwrap(
        await api.GET('/v1/inbox', { params: { query: { after: String(after), limit } } }),
      ) as ListInboxReply,
  };
}

function asProblem(error: unknown, response: Response): Problem {
  const details = error as Partial<schema.Problem> | null;
  if (typeof details === 'object' && typeof details?.type === 'string')
    return new Problem(details as schema.Problem);
  // A proxy in between answers in its own words.
  return new Problem({
    type: response.status === 429 ? '/problems/rate-limited' : '/problems/unavailable',
    title: `The answer was ${response.status}`,
    status: response.status,
  });
}
