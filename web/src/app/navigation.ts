// Where each role can go from the frame.

import { CalendarDays, CalendarPlus, Clock, House, LayoutList } from 'lucide-react';

import type { Person } from '../api';

const PLACES = {
  home: { to: '/', icon: House },
  board: { to: '/', icon: LayoutList },
  schedule: { to: '/schedule', icon: CalendarDays },
  book: { to: '/book', icon: CalendarPlus },
  hours: { to: '/hours', icon: Clock },
} as const;

type Name = keyof typeof PLACES;

export type Place = { [N in Name]: { name: N } & (typeof PLACES)[N] }[Name];

const BY_ROLE: Partial<Record<Person['role'], readonly Name[]>> = {
  PATIENT: ['home', 'schedule', 'book'],
  DOCTOR: ['home', 'schedule', 'hours'],
  STAFF: ['board', 'book'],
};

export function placesOf(role: Person['role']): Place[] {
  return (BY_ROLE[role] ?? ['home']).map((name) => ({ name, ...PLACES[name] }) as Place);
}
