// What the app reads, by name. Screens use these hooks and never the client for reading, so that a
// notice can say what is stale (live.ts).

import { queryOptions } from '@tanstack/react-query';

import { client } from './services';

export const keys = {
  me: ['me'] as const,
  clinic: ['clinic'] as const,
  doctors: ['doctors'] as const,
  appointments: ['appointments'] as const,
  appointment: (id: string) => ['appointment', id] as const,
  slots: (doctorId: string) => ['slots', doctorId] as const,
  availability: (doctorId: string) => ['availability', doctorId] as const,
  inbox: ['inbox'] as const,
  calls: (id: string) => ['calls', id] as const,
  patients: ['patients'] as const,
  media: ['media'] as const,
};

/** How many of the newest notices are shown. */
const INBOX_SHOWN = 50;

/** A span of time, RFC 3339; a list of all appointments that start in it. */
export interface Span {
  from?: string;
  to?: string;
}

export const queries = {
  clinic: () =>
    queryOptions({
      queryKey: keys.clinic,
      queryFn: ({ signal }) => client.clinic(signal),
      staleTime: Infinity,
    }),
  doctors: () =>
    queryOptions({
      queryKey: keys.doctors,
      queryFn: ({ signal }) => client.doctors(signal),
      staleTime: Infinity,
    }),
  appointments: (span: Span) =>
    queryOptions({
      queryKey: [...keys.appointments, span],
      queryFn: ({ signal }) => client.appointments(span, signal),
    }),
  appointment: (id: string) =>
    queryOptions({
      queryKey: keys.appointment(id),
      queryFn: ({ signal }) => client.appointment(id, signal),
    }),
  slots: (doctorId: string, from: string, days: number) =>
    queryOptions({
      queryKey: [...keys.slots(doctorId), from, days],
      queryFn: ({ signal }) => client.slots(doctorId, from, days, signal),
    }),
  availability: (doctorId: string) =>
    queryOptions({
      queryKey: keys.availability(doctorId),
      queryFn: ({ signal }) => client.availability(doctorId, signal),
    }),
  calls: (id: string) =>
    queryOptions({ queryKey: keys.calls(id), queryFn: ({ signal }) => client.calls(id, signal) }),
  /** The newest notices, oldest first, and how far they were read. */
  inbox: () =>
    queryOptions({
      queryKey: keys.inbox,
      queryFn: ({ signal }) => client.inbox({ latest: true, limit: INBOX_SHOWN }, signal),
    }),
  /** Whose name or mail address has this in it; for staff. */
  patients: (query: string) =>
    queryOptions({
      queryKey: [...keys.patients, query],
      queryFn: ({ signal }) => client.patients({ query }, signal),
    }),
  /** Where the media server is, for the check of the connection. */
  media: () =>
    queryOptions({ queryKey: keys.media, queryFn: ({ signal }) => client.media(signal) }),
};
