// The screens, each a chunk of its own that is loaded when it is first shown.

import i18next, { type FlatNamespace } from 'i18next';
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

/**
 * A screen, and the texts of all its parts: one that asked for its texts only when it is shown would
 * have the whole page wait for it once more, and take the focus away.
 */
const screen = (load: () => Promise<Screen>, ...namespaces: FlatNamespace[]) =>
  lazy(async () => {
    const [loaded] = await Promise.all([loadScreen(load), i18next.loadNamespaces(namespaces)]);
    return loaded;
  });

export const AdminPage = screen(() => import('../staff/AdminPage'), 'staff');
export const AppointmentPage = screen(
  () => import('../appointments/AppointmentPage'),
  'appointments',
);
export const BoardPage = screen(
  () => import('../staff/BoardPage'),
  'staff',
  'doctor',
  'appointments',
);
export const CheckPage = screen(() => import('../devices/CheckPage'), 'devices');
export const DoctorHomePage = screen(() => import('../doctor/HomePage'), 'doctor', 'appointments');
export const DoctorSchedulePage = screen(
  () => import('../doctor/SchedulePage'),
  'doctor',
  'appointments',
);
export const HoursPage = screen(() => import('../doctor/HoursPage'), 'doctor');
export const LoginPage = screen(() => import('../login/LoginPage'), 'login');
export const NotFoundPage = screen(() => import('./NotFoundPage'));
export const NoticesPage = screen(() => import('../notices/NoticesPage'), 'notices');
export const PatientBookPage = screen(
  () => import('../patient/BookPage'),
  'patient',
  'appointments',
);
export const PatientHomePage = screen(
  () => import('../patient/HomePage'),
  'patient',
  'appointments',
);
export const PatientSchedulePage = screen(
  () => import('../patient/SchedulePage'),
  'patient',
  'appointments',
);
export const SettingsPage = screen(() => import('../settings/SettingsPage'), 'settings');
export const StaffBookPage = screen(
  () => import('../staff/BookPage'),
  'staff',
  'doctor',
  'appointments',
);
