// A screen as somebody of the clinic sees it, for tests: in English, in UTC, with the texts loaded.

import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import i18next from 'i18next';
import type { ReactNode } from 'react';
import { initReactI18next } from 'react-i18next';
import { MemoryRouter } from 'react-router';

import type { Person, Role } from '../api';
import { serverClock } from '../app/services';
import { SessionContext } from '../app/session';
import appointments from '../i18n/locales/en/appointments.json';
import common from '../i18n/locales/en/common.json';
import doctor from '../i18n/locales/en/doctor.json';
import problems from '../i18n/locales/en/problems.json';
import staff from '../i18n/locales/en/staff.json';
import { Toasts } from '../ui/toast';
import { at } from './visit.fixture';

await i18next.use(initReactI18next).init({
  lng: 'en',
  resources: { en: { appointments, common, doctor, problems, staff } },
  interpolation: { escapeValue: false },
});

const viewer = { locale: 'en-GB', timeZone: 'UTC' };

function person(role: Role): Person {
  return {
    id: 'doctor-1',
    clinicId: 'clinic-1',
    clinicName: 'Demo Clinic',
    role,
    displayName: 'Somebody',
    email: '',
    language: 'en',
    timeZone: 'UTC',
  };
}

/** `now` is the clinic's time, "13:40". */
export function renderAs(role: Role, now: string, screen: ReactNode, path = '/') {
  serverClock.observe(new Date(at(now)).toISOString());
  const cache = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const frame = (shown: ReactNode) => (
    <QueryClientProvider client={cache}>
      <SessionContext
        value={{
          person: person(role),
          viewer,
          reload: () => Promise.resolve(),
          logOut: () => Promise.resolve(),
        }}
      >
        <MemoryRouter initialEntries={[path]}>{shown}</MemoryRouter>
        <Toasts />
      </SessionContext>
    </QueryClientProvider>
  );
  const view = render(frame(screen));
  return { ...view, cache, show: (other: ReactNode) => view.rerender(frame(other)) };
}
