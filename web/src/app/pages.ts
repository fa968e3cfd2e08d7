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

export const AdminPage = screen(() => import('../staff/AdminPage'));
export const AppointmentPage = screen(() => import('../appointments/AppointmentPage'));
export const BoardPage = screen(() => import('../staff/BoardPage'));
export const CheckPage = screen(() => import('../devices/CheckPage'));
export const DoctorHomePage = screen(() => import('../doctor/HomePage'));
export const DoctorSchedulePage = screen(() => import('../doctor/SchedulePage'));
export const HoursPage = screen(() => import('../doctor/HoursPage'));
export const LoginPage = screen(() => import('../login/LoginPage'));
export const NotFoundPage = screen(() => import('./NotFoundPage'));
export const NoticesPage = screen(() => import('../notices/NoticesPage'));
export const PatientBookPage = screen(() => import('../patient/BookPage'));
export const PatientHomePage = screen(() => import('../patient/HomePage'));
export const PatientSchedulePage = screen(() => import('../patient/SchedulePage'));
export const SettingsPage = screen(() => import('../settings/SettingsPage'));
export const StaffBookPage = screen(() => import('../staff/BookPage'));
