import { QueryClientProvider } from '@tanstack/react-query';
import { type ReactNode, Suspense, useEffect } from 'react';
import { I18nProvider } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { BrowserRouter, Navigate, Route, Routes } from 'react-router';

import type { Person } from '../api';
import { CallProvider } from '../call/CallProvider';
import { useCall } from '../call/context';
import { Spinner } from '../ui';
import { prepareAnnouncements } from '../ui/announce';
import { Toasts } from '../ui/toast';
import { keepStylesOutOfThePage } from './csp';
import { ErrorBoundary } from './ErrorBoundary';
import { LiveProvider } from './live';
import * as pages from './pages';
import { startServiceWorkerAfterLoad } from './pwa';
import { createQueryClient } from './query-client';
import { holdReleases } from './release';
import { RequireSession, SessionProvider, useSession } from './session';
import { SessionFailed } from './SessionFailed';
import { SessionLoading } from './SessionLoading';
import { Shell } from './Shell';
import { startTheme } from './theme';

startTheme();
keepStylesOutOfThePage();
prepareAnnouncements();
startServiceWorkerAfterLoad();

const queryClient = createQueryClient();

/** The app: providers, then one route per screen. */
export function App() {
  const { i18n } = useTranslation();
  return (
    <ErrorBoundary>
      <QueryClientProvider client={queryClient}>
        <I18nProvider locale={i18n.language}>
          <BrowserRouter>
            <Suspense fallback={<Spinner />}>
              <SessionProvider>
                <Routes>
                  <Route path="/login" element={<pages.LoginPage />} />
                  <Route path="*" element={<Inside />} />
                </Routes>
              </SessionProvider>
            </Suspense>
            <Toasts />
          </BrowserRouter>
        </I18nProvider>
      </QueryClientProvider>
    </ErrorBoundary>
  );
}

/** What needs a session. */
function Inside() {
  return (
    <RequireSession
      loading={<SessionLoading />}
      failed={(error, retry) => <SessionFailed error={error} retry={retry} />}
    >
      <LiveProvider>
        <CallProvider>
          <HoldReleases />
          <Shell>
            <Routes>
              <Route path="/" element={<Home />} />
              <Route path="/schedule" element={<Schedule />} />
              <Route path="/book" element={<Book />} />
              <Route path="/hours" element={<OnlyFor who="DOCTOR" page={<pages.HoursPage />} />} />
              <Route path="/appointments/:id" element={<pages.AppointmentPage />} />
              <Route path="/notices" element={<pages.NoticesPage />} />
              <Route path="/settings" element={<pages.SettingsPage />} />
              <Route path="/check" element={<pages.CheckPage />} />
              <Route path="*" element={<pages.NotFoundPage />} />
            </Routes>
          </Shell>
        </CallProvider>
      </LiveProvider>
    </RequireSession>
  );
}

function Home() {
  const { role } = useSession().person;
  if (role === 'PATIENT') return <pages.PatientHomePage />;
  if (role === 'DOCTOR') return <pages.DoctorHomePage />;
  return role === 'STAFF' ? <pages.BoardPage /> : <pages.AdminPage />;
}

function Schedule() {
  const { role } = useSession().person;
  if (role === 'PATIENT') return <pages.PatientSchedulePage />;
  return role === 'DOCTOR' ? <pages.DoctorSchedulePage /> : <Navigate to="/" replace />;
}

function Book() {
  const { role } = useSession().person;
  if (role === 'PATIENT') return <pages.PatientBookPage />;
  return role === 'STAFF' ? <pages.StaffBookPage /> : <pages.NotFoundPage />;
}

/** Nothing loads the page again while a call is on. */
function HoldReleases() {
  const { inCall } = useCall();
  useEffect(() => {
    holdReleases(inCall);
    return () => holdReleases(false);
  }, [inCall]);
  return null;
}

/** A page of one role; there is nothing at that address for others. */
function OnlyFor({ who, page }: { who: Person['role']; page: ReactNode }) {
  return useSession().person.role === who ? page : <pages.NotFoundPage />;
}
