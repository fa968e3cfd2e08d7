// The texts of the app. A namespace is a file per language, loaded when a screen first uses it.

import i18next from 'i18next';
import resourcesToBackend from 'i18next-resources-to-backend';
import { initReactI18next } from 'react-i18next';

import { directionOf, type Language, LANGUAGES, languageOf } from './languages';

const STORED = 'televisit.language';

/** What this browser last spoke with us, else the first language of the browser that we have. */
export function preferredLanguage(): Language {
  const tags = [localStorage.getItem(STORED) ?? '', ...navigator.languages];
  return tags.map(languageOf).find((language) => language !== undefined) ?? LANGUAGES[0];
}

export async function startI18n(): Promise<void> {
  i18next.on('languageChanged', (tag) => {
    const language = languageOf(tag) ?? LANGUAGES[0];
    document.documentElement.lang = language;
    document.documentElement.dir = directionOf(language);
  });
  await i18next
    .use(
      resourcesToBackend(
        (language: string, namespace: string) => import(`./locales/${language}/${namespace}.json`),
      ),
    )
    .use(initReactI18next)
    .init({
      lng: preferredLanguage(),
      fallbackLng: LANGUAGES[0],
      supportedLngs: LANGUAGES,
      load: 'languageOnly',
      // The words for faults as well: when they are needed there may be no network to load them.
      ns: ['common', 'problems'],
      defaultNS: 'common',
      interpolation: { escapeValue: false }, // React does
      returnNull: false,
      showSupportNotice: false,
    });
}

/** Speaks this language from now on, also the next time before anybody has logged in. */
export async function speak(language: Language): Promise<void> {
  localStorage.setItem(STORED, language);
  await i18next.changeLanguage(language);
}
