import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { Slot } from '../api';
import { useSession } from '../app/session';
import { clockTime, isoDay, longDay, sameClock, shortDay, zoneName } from '../time/format';
import { Button, FormError, layout, Skeleton } from '../ui';
import { ChoiceGrid } from './ChoiceGrid';
import { byDay, byPart, type DayOfSlots } from './slots';
import { type FreeSlots, useFreeSlots } from './useFreeSlots';

export interface SlotPickerProps {
  doctorId: string;
  /** Not offered: the time of the appointment that is to be moved. */
  except?: string;
  value: Slot | null;
  onChange: (slot: Slot | null) => void;
}

/** A day, then one of its free times, in the viewer's zone. */
export function SlotPicker({ doctorId, except, value, onChange }: SlotPickerProps) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  const free = useFreeSlots(doctorId);
  const [chosenDay, setChosenDay] = useState<string | null>(null);
  const offered = free.slots.filter((slot) => slot.startsAt !== except);
  const days = byDay(offered, viewer.timeZone, free.until);
  const wanted = value ? isoDay(value.startsAt, viewer.timeZone) : chosenDay;
  const day = days.find((one) => one.day === wanted) ?? days[0];

  if (free.error)
    return (
      <div className={layout.stack}>
        <FormError error={free.error} />
        <div>
          <Button onClick={free.retry}>{t('action.retry')}</Button>
        </div>
      </div>
    );
  if (free.loading && !day) return <Skeleton lines={6} />;
  return (
    <div className={layout.stack}>
      <Zone clinicZone={free.clinicZone} at={value?.startsAt ?? day?.slots[0]?.startsAt} />
      {day && (
        <Days
          days={days}
          day={day.day}
          onChange={(next) => {
            setChosenDay(next);
            onChange(null);
          }}
        />
      )}
      <Further free={free} empty={!day} />
      {day && <Times day={day} value={value} onChange={onChange} />}
    </div>
  );
}

/** Whose clock the times are by. */
function Zone({ clinicZone, at }: { clinicZone: string | undefined; at: string | undefined }) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  if (at === undefined || clinicZone === undefined) return null;
  const zone = zoneName(viewer.timeZone, viewer.locale, at);
  return (
    <p className={`${layout.quiet} ${layout.small}`}>
      {sameClock(viewer.timeZone, clinicZone, at)
        ? t('slots.zone', { zone })
        : t('slots.zoneClinic', { zone, clinicZone: zoneName(clinicZone, viewer.locale, at) })}
    </p>
  );
}

function Days(props: { days: DayOfSlots[]; day: string; onChange: (day: string) => void }) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  const choices = props.days.flatMap(({ day, slots: [first, ...rest] }) =>
    first
      ? [
          {
            id: day,
            label: shortDay(first.startsAt, viewer),
            detail: t('slots.free', { count: rest.length + 1 }),
          },
        ]
      : [],
  );
  const next = props.days[0]?.slots[0]?.startsAt;
  return (
    <>
      {next !== undefined && (
        <p>{t('slots.next', { day: longDay(next, viewer), time: clockTime(next, viewer) })}</p>
      )}
      <ChoiceGrid
        legend={t('slots.days')}
        groups={[{ name: '', choices }]}
        value={props.day}
        onChange={props.onChange}
      />
    </>
  );
}

function Times(props: {
  day: DayOfSlots;
  value: Slot | null;
  onChange: (slot: Slot | null) => void;
}) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  const { slots } = props.day;
  const [first] = slots;
  if (!first) return null;
  return (
    <ChoiceGrid
      legend={t('slots.times', { day: longDay(first.startsAt, viewer) })}
      groups={byPart(slots, viewer.timeZone).map(([part, found]) => ({
        name: t(`slots.${part}`),
        choices: found.map(({ startsAt }) => ({
          id: startsAt,
          label: clockTime(startsAt, viewer),
        })),
      }))}
      value={props.value?.startsAt ?? null}
      onChange={(id) => props.onChange(slots.find((slot) => slot.startsAt === id) ?? null)}
    />
  );
}

/** The way to later days, or word that there is none. */
function Further({ free, empty }: { free: FreeSlots; empty: boolean }) {
  const { t } = useTranslation('appointments');
  const { viewer } = useSession();
  // A calendar day, not an instant: noon UTC is that day in UTC.
  const until = longDay(`${free.until}T12:00:00Z`, { ...viewer, timeZone: 'UTC' });
  return (
    <>
      {empty && <p role="status">{t('slots.none', { day: until })}</p>}
      {free.more ? (
        <div>
          <Button variant="quiet" busy={free.loading} onClick={free.more}>
            {t('slots.more')}
          </Button>
        </div>
      ) : (
        <p className={layout.quiet}>{t('slots.end')}</p>
      )}
    </>
  );
}
