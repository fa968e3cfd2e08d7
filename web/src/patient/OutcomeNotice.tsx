import { useTranslation } from 'react-i18next';

import { useSession } from '../app/session';
import { nearest } from '../appointments/slots';
import { useFreeSlots } from '../appointments/useFreeSlots';
import { useOwnOverlap } from '../appointments/useOwnOverlap';
import { clockTime, longDay } from '../time/format';
import { Button, FormError, layout, Notice } from '../ui';
import type { Booking } from './useBooking';

/** How many other times are offered. */
const OFFERED = 3;

/** What became of a booking that was not made, and what to do now. */
export function OutcomeNotice({ booking }: { booking: Booking }) {
  const { t } = useTranslation('patient');
  switch (booking.outcome?.kind) {
    case 'taken':
      return <Taken booking={booking} />;
    case 'unknown':
      return (
        <Notice tone="bad" title={t('book.unknown')}>
          <p>{t('book.unknownText')}</p>
        </Notice>
      );
    case 'refused':
      return <FormError error={booking.outcome.error} />;
    default:
      return null;
  }
}

/** The time cannot be had; the nearest that can are one press away. */
function Taken({ booking }: { booking: Booking }) {
  const { t } = useTranslation('patient');
  const { viewer } = useSession();
  const { doctor, slot } = booking.draft;
  const mine = useOwnOverlap(slot);
  const { slots } = useFreeSlots(doctor?.id ?? '');
  const offered = slot && !mine ? nearest(slots, slot.startsAt, OFFERED) : [];
  const text = offered.length > 0 ? t('book.takenText') : t('book.takenNone');
  return (
    <Notice tone="bad" title={t(mine ? 'book.mine' : 'book.taken')}>
      <p>{mine ? t('book.mineText') : text}</p>
      <div className={layout.row}>
        {offered.map((other) => (
          <Button key={other.startsAt} onClick={() => booking.choose({ slot: other })}>
            {longDay(other.startsAt, viewer)}, {clockTime(other.startsAt, viewer)}
          </Button>
        ))}
      </div>
    </Notice>
  );
}
