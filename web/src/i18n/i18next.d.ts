// Makes a key that is not in the English texts a type error.

import 'i18next';

import type appointments from './locales/en/appointments.json';
import type call from './locales/en/call.json';
import type common from './locales/en/common.json';
import type devices from './locales/en/devices.json';
import type doctor from './locales/en/doctor.json';
import type login from './locales/en/login.json';
import type notices from './locales/en/notices.json';
import type patient from './locales/en/patient.json';
import type problems from './locales/en/problems.json';
import type settings from './locales/en/settings.json';
import type staff from './locales/en/staff.json';

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'common';
    resources: {
      appointments: typeof appointments;
      call: typeof call;
      common: typeof common;
      devices: typeof devices;
      doctor: typeof doctor;
      login: typeof login;
      notices: typeof notices;
      patient: typeof patient;
      problems: typeof problems;
      settings: typeof settings;
      staff: typeof staff;
    };
  }
}
