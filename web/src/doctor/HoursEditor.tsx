import { useMutation, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { Availability } from '../api';
import { queries } from '../app/queries';
import { client } from '../app/services';
import { useSession } from '../app/session';
import { Button, FormError, layout, Notice, toast } from '../ui';
import { weekdayName } from './days';
import { hasFaults, hoursFrom, type Week, type Weekday, WEEKDAYS, withCopies } from './hours';
import { HoursDay } from './HoursDay';
import styles from './HoursPage.module.css';
import { useDraft } from './useDraft';
import { useLeaveWarning } from './useLeaveWarning';

const CopyDialog = lazy(() => import('./CopyDialog'));

/** Weekly hours as a form: nothing is in force before it is saved. */
export function HoursEditor({ availability }: { availability: Availability }) {
  const { t } = useTranslation('doctor');
  const { viewer } = useSession();
  const cache = useQueryClient();
  const draft = useDraft(availability);
  const form = useRef<HTMLFormElement>(null);
  const [strict, setStrict] = useState(false);
  const [refused, setRefused] = useState(0);
  const [copying, setCopying] = useState<Weekday | null>(null);
  const nameOf = (weekday: Weekday) => weekdayName(weekday, viewer.locale);
  useLeaveWarning(draft.changed, () => toast(t('hours.kept')));

  const save = useMutation({
    mutationFn: (week: Week) => client.putAvailability(availability.doctorId, hoursFrom(week)),
    onSuccess: (saved) => {
      cache.setQueryData(queries.availability(saved.doctorId).queryKey, saved);
      void cache.invalidateQueries({ queryKey: ['slots'] });
      draft.drop();
      setStrict(false);
      toast(t('hours.saved'), { tone: 'good' });
    },
  });

  // After the fields have their errors: the first of them is where to go on.
  useEffect(() => {
    if (refused > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [refused]);

  const submit = () => {
    if (!draft.changed || save.isPending) return;
    if (!hasFaults(draft.week)) {
      save.mutate(draft.week);
      return;
    }
    setStrict(true);
    setRefused((times) => times + 1);
  };

  return (
    <form
      ref={form}
      className={layout.stack}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {draft.overtaken && (
        <Notice tone="warn" title={t('hours.overtakenTitle')}>
          {t('hours.overtaken')}
        </Notice>
      )}
      {WEEKDAYS.map((weekday) => (
        <HoursDay
          key={weekday}
          weekday={weekday}
          name={nameOf(weekday)}
          spans={draft.week[weekday]}
          strict={strict}
          onChange={draft.change}
          onCopy={() => setCopying(weekday)}
        />
      ))}
      <div className={styles.bar}>
        <FormError error={save.error} />
        <p role="status">
          {draft.changed
            ? t(strict && hasFaults(draft.week) ? 'hours.wrong' : 'hours.unsaved')
            : t('hours.unchanged')}
        </p>
        <div className={layout.row}>
          <Button variant="primary" type="submit" busy={save.isPending} disabled={!draft.changed}>
            {t('hours.save')}
          </Button>
          {draft.changed && <Button onClick={draft.drop}>{t('hours.discard')}</Button>}
        </div>
      </div>
      {copying && (
        <Suspense>
          <CopyDialog
            from={copying}
            nameOf={nameOf}
            onClose={() => setCopying(null)}
            onCopy={(to) => {
              draft.change((week) => withCopies(week, copying, to));
              setCopying(null);
            }}
          />
        </Suspense>
      )}
    </form>
  );
}
