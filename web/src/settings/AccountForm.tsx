import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { client, serverClock } from '../app/services';
import { chooseLanguage, useSession } from '../app/session';
import { type Language, LANGUAGE_NAMES, LANGUAGES, languageOf } from '../i18n/languages';
import { Button, Card, FormError, layout, Select, toast } from '../ui';
import { SearchSelect } from '../ui/SearchSelect';
import { cityOf, deviceZone, zoneItems } from './zones';

const CHOICES = LANGUAGES.map((id) => ({ id, label: LANGUAGE_NAMES[id] }));

/** Language and time zone: kept with the account, so they hold on every device. */
export function AccountForm() {
  const { t, i18n } = useTranslation('settings');
  const { person, viewer, reload } = useSession();
  const spoken = languageOf(i18n.language) ?? LANGUAGES[0];
  const [language, setLanguage] = useState<Language>(spoken);
  const [timeZone, setTimeZone] = useState(viewer.timeZone);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const zones = useMemo(
    () => zoneItems(i18n.language, serverClock.now(), [viewer.timeZone, deviceZone()]),
    [i18n.language, viewer.timeZone],
  );

  const save = async () => {
    setBusy(true);
    setFailure(null);
    try {
      // A region that the account has ("de-CH") stays as long as the language is the same.
      const same = languageOf(person.language) === language;
      await client.updateMe({ language: same ? person.language : language, timeZone });
      await chooseLanguage(language);
      await reload();
      toast(i18n.t('saved', { ns: 'settings' }), { tone: 'good' });
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Card heading={t('account.title')}>
      <p className={layout.quiet}>{t('account.where')}</p>
      <form
        className={layout.stack}
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <Select label={t('language')} items={CHOICES} value={language} onChange={setLanguage} />
        <SearchSelect
          label={t('zone.label')}
          description={t('zone.help')}
          items={zones}
          value={timeZone}
          onChange={setTimeZone}
          nothing={t('zone.nothing')}
          showAll={t('zone.showAll')}
        />
        {timeZone !== deviceZone() && (
          <p>
            <Button variant="quiet" onClick={() => setTimeZone(deviceZone())}>
              {t('zone.device', { city: cityOf(deviceZone()) })}
            </Button>
          </p>
        )}
        <FormError error={failure} />
        <p>
          <Button type="submit" variant="primary" busy={busy}>
            {t('save')}
          </Button>
        </p>
      </form>
    </Card>
  );
}
