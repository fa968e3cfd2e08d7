// The shapes of the API by their plain names; the source is openapi.json. There a message may be
// absent, because protobuf says so; what the services always fill is required here.

import type * as schema from './schema';

/** T with these members always there. */
type With<T, K extends keyof T> = Omit<T, K> & { [Member in K]-?: NonNullable<T[Member]> };

export type Join = With<schema.Join, 'opensAt' | 'closesAt' | 'serverTime'>;
export type Appointment = Omit<
  With<schema.Appointment, 'startsAt' | 'endsAt' | 'createdAt' | 'updatedAt'>,
  'join'
> & { join: Join };
export type Slot = With<schema.Slot, 'startsAt' | 'endsAt'>;
export type Clinic = With<schema.Clinic, 'policy'>;
export type Session = With<schema.Session, 'person' | 'expiresAt' | 'refreshExpiresAt'>;
export type JoinAnswer = With<schema.JoinAnswer, 'expiresAt' | 'closesAt'>;
export type InboxEntry = With<schema.InboxEntry, 'occurredAt'>;
export type ListInboxReply = Omit<schema.ListInboxReply, 'entries'> & { entries: InboxEntry[] };

export type {
  AppointmentStatus,
  Availability,
  BookRequest,
  Call,
  Doctor,
  JoinDecision,
  ListCallsReply,
  LogInRequest,
  MarkReadReply,
  MediaReply as Media,
  MoveRequest,
  NoShow,
  Participant,
  ParticipantType,
  Patient,
  Person,
  Policy,
  Role,
  UpdateMeRequest,
  WeeklyHours,
} from './schema';
