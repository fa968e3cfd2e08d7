// What to do in this browser to let the page use the camera and the microphone.

import type { ParseKeys } from 'i18next';

export type Browser =
  | 'chrome'
  | 'edge'
  | 'firefox'
  | 'safari'
  | 'ios-safari'
  | 'ios-other'
  | 'android-chrome'
  | 'android-firefox'
  | 'in-app'
  | 'other';

/** What a browser tells of itself. */
export interface Signature {
  userAgent: string;
  maxTouchPoints: number;
}

/** Browsers inside apps: they show pages and have no settings of their own. */
const IN_APP =
  /\b(FBAN|FBAV|FB_IAB|Instagram|Line\/|MicroMessenger|Snapchat|LinkedInApp|Twitter|TikTok|musical_ly|BytedanceWebview|GSA\/|WhatsApp|Pinterest)/i;
/** An Android page without a browser around it. */
const ANDROID_WEBVIEW = /; wv\)/;

export function browserOf({ userAgent, maxTouchPoints }: Signature): Browser {
  const is = (pattern: RegExp) => pattern.test(userAgent);
  // An iPad says that it is a Mac; Macs have no touch screen.
  const apple = is(/iPhone|iPad|iPod/) || (is(/Macintosh/) && maxTouchPoints > 1);
  if (is(IN_APP) || is(ANDROID_WEBVIEW)) return 'in-app';
  if (apple) {
    if (is(/CriOS|FxiOS|EdgiOS|OPiOS|DuckDuckGo|Brave/)) return 'ios-other';
    // Every browser of iOS names Safari; a page inside an app does not.
    return is(/Safari\//) ? 'ios-safari' : 'in-app';
  }
  if (is(/Android/)) {
    if (is(/Firefox\//)) return 'android-firefox';
    return is(/Chrome\//) ? 'android-chrome' : 'other';
  }
  if (is(/Edg\//)) return 'edge';
  if (is(/Firefox\//)) return 'firefox';
  if (is(/Chrome\//)) return 'chrome';
  return is(/Version\/.*Safari\//) ? 'safari' : 'other';
}

/** The way to allow it: a heading, then one step after the other. */
export interface Help {
  title: ParseKeys<'devices'>;
  steps: readonly ParseKeys<'devices'>[];
}

export const HELP: Record<Browser, Help> = {
  chrome: {
    title: 'help.chrome.title',
    steps: ['help.chrome.icon', 'help.chrome.switch', 'help.back'],
  },
  edge: { title: 'help.edge.title', steps: ['help.edge.icon', 'help.edge.switch', 'help.back'] },
  firefox: {
    title: 'help.firefox.title',
    steps: ['help.firefox.icon', 'help.firefox.remove', 'help.firefox.again'],
  },
  safari: {
    title: 'help.safari.title',
    steps: ['help.safari.menu', 'help.safari.allow', 'help.back'],
  },
  'ios-safari': {
    title: 'help.iosSafari.title',
    steps: ['help.iosSafari.menu', 'help.iosSafari.settings', 'help.iosSafari.allow', 'help.back'],
  },
  'ios-other': {
    title: 'help.iosOther.title',
    steps: ['help.iosOther.settings', 'help.iosOther.app', 'help.iosOther.allow', 'help.back'],
  },
  'android-chrome': {
    title: 'help.androidChrome.title',
    steps: ['help.androidChrome.icon', 'help.androidChrome.permissions', 'help.back'],
  },
  'android-firefox': {
    title: 'help.androidFirefox.title',
    steps: ['help.androidFirefox.icon', 'help.androidFirefox.allow', 'help.back'],
  },
  'in-app': {
    title: 'help.inApp.title',
    steps: ['help.inApp.menu', 'help.inApp.open', 'help.inApp.copy'],
  },
  other: {
    title: 'help.other.title',
    steps: ['help.other.settings', 'help.other.allow', 'help.back'],
  },
};

/** Where the operating system decides over the browser. */
export type System = 'windows' | 'macos' | 'ios' | 'android' | 'other';

export function systemOf({ userAgent, maxTouchPoints }: Signature): System {
  if (/iPhone|iPad|iPod/.test(userAgent)) return 'ios';
  if (userAgent.includes('Macintosh')) return maxTouchPoints > 1 ? 'ios' : 'macos';
  if (userAgent.includes('Android')) return 'android';
  return userAgent.includes('Windows') ? 'windows' : 'other';
}

export const SYSTEM_HELP: Record<System, Help> = {
  windows: {
    title: 'help.windows.title',
    steps: ['help.windows.settings', 'help.windows.allow', 'help.back'],
  },
  macos: {
    title: 'help.macos.title',
    steps: ['help.macos.settings', 'help.macos.allow', 'help.macos.restart'],
  },
  ios: {
    title: 'help.iosOther.title',
    steps: ['help.iosOther.settings', 'help.iosOther.app', 'help.iosOther.allow', 'help.back'],
  },
  android: {
    title: 'help.androidSystem.title',
    steps: ['help.androidSystem.settings', 'help.androidSystem.allow', 'help.back'],
  },
  other: {
    title: 'help.system.title',
    steps: ['help.system.settings', 'help.system.allow', 'help.back'],
  },
};
