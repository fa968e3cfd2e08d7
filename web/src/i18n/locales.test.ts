import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, test } from 'vitest';

import { type Language, LANGUAGES } from './languages';

const FOLDER = path.join(import.meta.dirname, 'locales');
/** The endings of plural forms, as i18next writes them: `minutes_few`. */
const PLURAL = /_(zero|one|two|few|many|other)$/;
const SLOT = /\{\{\s*([a-zA-Z]+)/g;

type Texts = Map<string, string>;

function read(language: Language, namespace: string): Texts {
  const texts: Texts = new Map();
  const walk = (value: unknown, key: string): void => {
    if (typeof value === 'string') texts.set(key, value);
    else
      for (const [name, inner] of Object.entries(value as Record<string, unknown>))
        walk(inner, key ? `${key}.${name}` : name);
  };
  walk(JSON.parse(readFileSync(path.join(FOLDER, language, namespace), 'utf8')), '');
  return texts;
}

const isPlural = (key: string, texts: Texts) =>
  PLURAL.test(key) && texts.has(key.replace(PLURAL, '_other'));

/** Keys without the endings of plurals. */
function stems(texts: Texts): string[] {
  const keys = [...texts.keys()].map((key) =>
    isPlural(key, texts) ? `${key.replace(PLURAL, '')}…` : key,
  );
  return [...new Set(keys)].sort();
}

const slots = (text: string) => new Set([...text.matchAll(SLOT)].map((match) => match[1]));

const namespaces = readdirSync(path.join(FOLDER, LANGUAGES[0]));

describe.each(namespaces)('%s', (namespace) => {
  const english = read(LANGUAGES[0], namespace);

  test.each(LANGUAGES.slice(1))('is whole in %s', (language) => {
    expect(stems(read(language, namespace))).toEqual(stems(english));
  });

  test.each(LANGUAGES)('has every plural form of %s', (language) => {
    const texts = read(language, namespace);
    const needed = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    const counted = new Set(
      [...texts.keys()].filter((key) => isPlural(key, texts)).map((key) => key.replace(PLURAL, '')),
    );
    const missing = [...counted].flatMap((stem) =>
      needed.map((form) => `${stem}_${form}`).filter((key) => !texts.has(key)),
    );
    expect(missing).toEqual([]);
  });

  test.each(LANGUAGES.slice(1))('%s fills the same slots', (language) => {
    const texts = read(language, namespace);
    const unknown = [...texts].flatMap(([key, text]) => {
      const pattern = english.get(key) ?? english.get(key.replace(PLURAL, '_other')) ?? '';
      return [...slots(text)]
        .filter((slot) => !slots(pattern).has(slot))
        .map((s) => `${key}: ${s}`);
    });
    expect(unknown).toEqual([]);
  });

  test('has no empty text', () => {
    for (const language of LANGUAGES)
      for (const [key, text] of read(language, namespace))
        expect(text.trim(), `${language} ${key}`).not.toBe('');
  });
});
