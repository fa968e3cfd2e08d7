// The screens, each a chunk of its own that is loaded when it is first shown.

import { type ComponentType, lazy } from 'react';

import { reloadOnce } from './release';

interface Screen {
  default: ComponentType;
}

/** A chunk that is not there any more belongs to an older release: the page is loaded again. */
export async function loadScreen(load: () => Promise<Screen>): Promise<Screen> {
  try {
    return await load();
  } catch (error) {
    // Nothing is shown meanwhile; the page goes away under it.
    if (reloadOnce()) return new Promise<Screen>(() => undefined);
    throw error;
  }
}

const screen = (load: () => Promise<Screen>) => lazy(() => loadScreen(load));

export const NotFoundPage = screen(() => import('./NotFoundPage'));
export const LoginPage = screen(() => import('../login/LoginPage'));
export const PatientHomePage = screen(() => import('../patient/HomePage'));
export const NoticesPage = screen(() => import('../notices/NoticesPage'));
export const SettingsPage = screen(() => import('../settings/SettingsPage'));

const found = import.meta.glob<Screen>([
  '../patient/{SchedulePage,BookPage}.tsx',
  '../doctor/{HomePage,SchedulePage,HoursPage}.tsx',
  '../staff/{BoardPage,BookPage}.tsx',
  '../appointments/AppointmentPage.tsx',
  '../devices/CheckPage.tsx',
]);
const written = (path: string) =>
  screen(found[`../${path}.tsx`] ?? (() => import('./NotFoundPage')));

export const PatientSchedulePage = written('patient/SchedulePage');
export const PatientBookPage = written('patient/BookPage');
export const DoctorHomePage = written('doctor/HomePage');
export const DoctorSchedulePage = written('doctor/SchedulePage');
export const HoursPage = written('doctor/HoursPage');
export const BoardPage = written('staff/BoardPage');
export const StaffBookPage = written('staff/BookPage');
export const AppointmentPage = written('appointments/AppointmentPage');
export const CheckPage = written('devices/CheckPage');
