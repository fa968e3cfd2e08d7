import { type QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import type { ReactNode } from 'react';
import { MemoryRouter } from 'react-router';

import type { Person } from '../api';
import { createQueryClient } from '../app/query-client';
import { type Session, SessionContext } from '../app/session';
import { startI18n } from '../i18n';

export const PIA: Person = {
  id: 'pia',
  clinicId: 'clinic',
  clinicName: 'Lakeside Clinic',
  role: 'PATIENT',
  displayName: 'Pia Sommer',
  email: 'pia@example.org',
  language: 'en',
  timeZone: 'Europe/Berlin',
};

interface Place {
  /** Where the app is opened. */
  at?: string;
  queryClient?: QueryClient;
}

/** Renders a part of the app that minds its own session, at an address. */
export async function renderAt(ui: ReactNode, { at = '/', queryClient }: Place = {}) {
  await startI18n();
  const client = queryClient ?? createQueryClient();
  const view = render(
    <QueryClientProvider client={client}>
      <MemoryRouter initialEntries={[at]}>{ui}</MemoryRouter>
    </QueryClientProvider>,
  );
  return { ...view, queryClient: client };
}

/** Renders a part of the logged-in app as somebody sees it. */
export function renderAs(person: Person, ui: ReactNode, place?: Place) {
  const session: Session = {
    person,
    viewer: { locale: person.language, timeZone: person.timeZone },
    reload: () => Promise.resolve(),
    logOut: () => Promise.resolve(),
  };
  return renderAt(<SessionContext value={session}>{ui}</SessionContext>, place);
}
