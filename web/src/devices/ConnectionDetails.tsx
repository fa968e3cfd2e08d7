import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { Button, toast } from '../ui';
import styles from './ConnectionCheck.module.css';
import type { Report } from './connection';
import { DETAILS, detailsOf } from './details';
import type { InputsState } from './inputs';

/** The figures, for whoever helps: folded away, and to be copied. */
export function ConnectionDetails({ report, state }: { report: Report; state: InputsState }) {
  const { t } = useTranslation('devices');
  const [begun] = useState(() => new Date());
  if (!report.verdict) return null;
  const details = detailsOf(report, state, navigator, begun);
  const rows = DETAILS.map((detail) => ({
    label: t(`connection.detail.${detail}`),
    value: details[detail] ?? t('connection.detail.none'),
  }));

  async function copy() {
    const text = rows.map(({ label, value }) => `${label}: ${value}`).join('\n');
    try {
      await navigator.clipboard.writeText(text);
      toast(t('connection.copied'), { tone: 'good' });
    } catch {
      toast(t('connection.notCopied'), { tone: 'warn' });
    }
  }

  return (
    <details className={styles.details}>
      <summary>{t('connection.details')}</summary>
      <dl className={styles.list}>
        {rows.map(({ label, value }) => (
          <div key={label} className={styles.pair}>
            <dt>{label}</dt>
            <dd dir="ltr">{value}</dd>
          </div>
        ))}
      </dl>
      <Button onClick={() => void copy()}>{t('connection.copy')}</Button>
    </details>
  );
}
