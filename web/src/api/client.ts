import createFetch from 'openapi-fetch';

import { asProblem, isProblem } from './problem';
import type * as schema from './schema';
import type { ServerClock } from './server-clock';
import { createSessionKeeper, type SessionChange } from './session';
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
  MarkReadReply,
  Media,
  MoveRequest,
  NoShow,
  Patient,
  Person,
  Slot,
  UpdateMeRequest,
  WeeklyHours,
} from './types';

export interface ClientOptions {
  /** Origin of the gateway; without it the page's own. */
  baseUrl?: string;
  /** Learns the time from each answer that tells it. */
  clock?: ServerClock;
  /** Log-in and log-out in other tabs, and a session that is over and could not be renewed. */
  onSessionChange?: (change: SessionChange) => void;
  fetch?: (request: Request) => Promise<Response>;
}

/** What an appointment is changed by: its version, so that nobody overwrites what they never saw. */
export type Change = Pick<Appointment, 'id' | 'version'>;

export type Client = ReturnType<typeof createClient>;

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

const PAGE = 100;

/**
 * The operations of the API for a browser with a cookie session. Each returns what the API
 * documents or throws a Problem or Unreachable. A session that has run out is renewed once, quietly,
 * and the request repeated. Those that read take a signal of who may give up waiting.
 */
export function createClient(options: ClientOptions = {}) {
  const { clock } = options;
  // Unit tests have no origin that requests could be relative to; pages have.
  const baseUrl = options.baseUrl ?? globalThis.location.origin;
  const session = createSessionKeeper({
    // Looked up at each call: a page's tools and tests may replace it.
    fetch: options.fetch ?? ((request) => globalThis.fetch(request)),
    refreshUrl: `${baseUrl}/v1/session/refresh`,
    onChange: options.onSessionChange ?? (() => undefined),
  });
  const api = createFetch<schema.paths>({
    baseUrl,
    credentials: 'same-origin',
    fetch: session.fetch,
  });

  /** The data of an answer, or its problem thrown. */
  function unwrap<T>(answer: Answer<T>): T {
    if (!answer.response.ok) throw asProblem(answer.error, answer.response);
    return answer.data as T;
  }

  function seen(answer: schema.Appointment): Appointment {
    const appointment = answer as Appointment;
    clock?.observe(appointment.join.serverTime);
    return appointment;
  }

  const changed = (answer: Answer<schema.Appointment>) => seen(unwrap(answer));

  const of = (change: Change) => ({
    path: { appointmentId: change.id },
    header: { 'If-Match': `"${change.version}"` },
  });

  return {
    logIn: async (credentials: Omit<LogInRequest, 'cookie'>): Promise<Person> => {
      const opened = unwrap(
        await api.POST('/v1/session', { body: { ...credentials, cookie: true } }),
      );
      const person = opened.person as Person;
      session.loggedIn(person.id);
      return person;
    },
    /** Also when the session was over already. */
    logOut: async (): Promise<void> => {
      try {
        unwrap(await api.DELETE('/v1/session'));
      } catch (error) {
        if (!isProblem(error) || error.status !== 401) throw error;
      }
      session.loggedOut();
    },
    me: async (signal?: AbortSignal): Promise<Person> =>
      unwrap(await api.GET('/v1/me', { signal })),
    /** What is absent stays as it is. */
    updateMe: async (change: UpdateMeRequest): Promise<Person> =>
      unwrap(await api.PATCH('/v1/me', { body: change })),

    clinic: async (signal?: AbortSignal): Promise<Clinic> =>
      unwrap(await api.GET('/v1/clinic', { signal })) as Clinic,
    doctors: async (signal?: AbortSignal): Promise<readonly Doctor[]> =>
      unwrap(await api.GET('/v1/doctors', { signal })).doctors,
    /** Whose name or mail address has `query` in it; for staff. */
    patients: async (
      query: { query?: string; limit?: number },
      signal?: AbortSignal,
    ): Promise<readonly Patient[]> =>
      unwrap(await api.POST('/v1/patients/search', { body: query, signal })).patients,
    slots: async (
      doctorId: string,
      from: string,
      days: number,
      signal?: AbortSignal,
    ): Promise<readonly Slot[]> =>
      unwrap(
        await api.GET('/v1/doctors/{doctorId}/slots', {
          params: { path: { doctorId }, query: { from, days } },
          signal,
        }),
      ).slots as Slot[],
    availability: async (doctorId: string, signal?: AbortSignal): Promise<Availability> =>
      unwrap(
        await api.GET('/v1/doctors/{doctorId}/availability', {
          params: { path: { doctorId } },
          signal,
        }),
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
    appointments: async (
      span: { from?: string; to?: string; status?: AppointmentStatus },
      signal?: AbortSignal,
    ): Promise<Appointment[]> => {
      const found: Appointment[] = [];
      let cursor = '';
      do {
        const page = unwrap(
          await api.GET('/v1/appointments', {
            params: { query: { ...span, limit: PAGE, ...(cursor && { cursor }) } },
            signal,
          }),
        );
        found.push(...page.appointments.map(seen));
        cursor = page.nextCursor;
      } while (cursor !== '');
      return found;
    },
    appointment: async (appointmentId: string, signal?: AbortSignal): Promise<Appointment> =>
      changed(
        await api.GET('/v1/appointments/{appointmentId}', {
          params: { path: { appointmentId } },
          signal,
        }),
      ),
    calls: async (appointmentId: string, signal?: AbortSignal): Promise<ListCallsReply> =>
      unwrap(
        await api.GET('/v1/appointments/{appointmentId}/calls', {
          params: { path: { appointmentId } },
          signal,
        }),
      ),

    /** `key` makes a repetition harmless: the same key and request book once. */
    book: async (request: BookRequest, key: string): Promise<Appointment> =>
      changed(
        await api.POST('/v1/appointments', {
          params: { header: { 'Idempotency-Key': key } },
          body: request,
        }),
      ),
    confirm: async (change: Change): Promise<Appointment> =>
      changed(
        await api.POST('/v1/appointments/{appointmentId}/confirm', {
          params: of(change),
          body: {},
        }),
      ),
    decline: async (change: Change, note: string): Promise<Appointment> =>
      changed(
        await api.POST('/v1/appointments/{appointmentId}/decline', {
          params: of(change),
          body: { note },
        }),
      ),
    cancel: async (change: Change, note: string): Promise<Appointment> =>
      changed(
        await api.POST('/v1/appointments/{appointmentId}/cancel', {
          params: of(change),
          body: { note },
        }),
      ),
    move: async (change: Change, to: MoveRequest): Promise<Appointment> =>
      changed(
        await api.POST('/v1/appointments/{appointmentId}/move', { params: of(change), body: to }),
      ),
    complete: async (change: Change, note: string): Promise<Appointment> =>
      changed(
        await api.POST('/v1/appointments/{appointmentId}/complete', {
          params: of(change),
          body: { note },
        }),
      ),
    noShow: async (change: Change, side: NoShow, note: string): Promise<Appointment> =>
      changed(
        await api.POST('/v1/appointments/{appointmentId}/no-show', {
          params: of(change),
          body: { side, note },
        }),
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
    /** Ends the call for everybody and completes the appointment; of the doctor. */
    end: async (appointmentId: string): Promise<Appointment> =>
      changed(
        await api.POST('/v1/appointments/{appointmentId}/end', {
          params: { path: { appointmentId } },
          body: {},
        }),
      ),
    /** Where the media server is, for a check of the connection before any call. */
    media: async (signal?: AbortSignal): Promise<Media> =>
      unwrap(await api.GET('/v1/media', { signal })),

    /** Notices after the number `after`, oldest first; with `latest` the newest `limit` of them. */
    inbox: async (
      query: { after?: string; latest?: boolean; limit?: number } = {},
      signal?: AbortSignal,
    ): Promise<ListInboxReply> =>
      unwrap(await api.GET('/v1/inbox', { params: { query }, signal })) as ListInboxReply,
    /** All notices up to this number are read; it never goes back. */
    markRead: async (seq: string): Promise<MarkReadReply> =>
      unwrap(await api.POST('/v1/inbox/read', { body: { seq } })),
  };
}
