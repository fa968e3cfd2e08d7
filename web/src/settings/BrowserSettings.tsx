import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { useSession } from '../app/session';
import { setTheme, THEMES, useTheme } from '../app/theme';
import { soundsWanted, wantSounds } from '../doctor/chime';
import { Card, layout, RadioCards, Switch } from '../ui';

/** What is kept in this browser, and holds at once. */
export function BrowserSettings() {
  const { t } = useTranslation('settings');
  const { person } = useSession();
  const theme = useTheme();
  return (
    <Card heading={t('browser.title')}>
      <p className={layout.quiet}>{t('browser.where')}</p>
      <RadioCards
        legend={t('theme.legend')}
        options={THEMES.map((id) => ({ id, label: t(`theme.${id}`) }))}
        value={theme}
        onChange={setTheme}
      />
      {person.role === 'DOCTOR' && <Sounds />}
    </Card>
  );
}

function Sounds() {
  const { t } = useTranslation('settings');
  const [wanted, setWanted] = useState(soundsWanted);
  return (
    <Switch
      label={t('sounds.label')}
      description={t('sounds.help')}
      checked={wanted}
      onChange={(next) => {
        wantSounds(next);
        setWanted(next);
      }}
    />
  );
}
