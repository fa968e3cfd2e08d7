import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';

import { Page } from '../ui';
import { rememberChoice } from './choice';
import { DevicePanels } from './DevicePanels';
import { Remember, useRemember } from './Remember';
import { useInputs } from './useInputs';

/** The check without a call, at any time. */
export default function CheckPage() {
  const { t } = useTranslation('devices');
  const [inputs, state] = useInputs();
  const [remember, setRemember] = useRemember();

  // Nothing ends this page: what is to be kept is kept as it is chosen.
  useEffect(() => {
    if (remember) rememberChoice(state.choice);
  }, [remember, state.choice]);

  return (
    <Page title={t('page.title')} wide>
      <p>{t('page.intro')}</p>
      <DevicePanels inputs={inputs} state={state} />
      <Remember checked={remember} onChange={setRemember} />
    </Page>
  );
}
