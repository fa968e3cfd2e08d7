import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { Switch } from '../ui';
import { forgetChoice, rememberedChoice } from './choice';

/** Whether to keep the choice; taking that back forgets at once. */
export function useRemember(): [boolean, (wanted: boolean) => void] {
  const [remember, setRemember] = useState(() => rememberedChoice() !== null);
  return [
    remember,
    (wanted) => {
      setRemember(wanted);
      if (!wanted) forgetChoice();
    },
  ];
}

export function Remember(props: { checked: boolean; onChange: (checked: boolean) => void }) {
  const { t } = useTranslation('devices');
  return <Switch label={t('remember.label')} description={t('remember.text')} {...props} />;
}
