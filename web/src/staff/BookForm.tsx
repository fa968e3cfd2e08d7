import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { type Appointment, type BookRequest, isProblem } from '../api';
import { keys, queries } from '../app/queries';
import { client } from '../app/services';
import { SlotPicker } from '../appointments/SlotPicker';
import { ReadFailed } from '../doctor/ReadFailed';
import { Button, FormError, layout, Notice, Select, Switch, TextField } from '../ui';
import { FieldError } from '../ui/Field';
import { type Booking, createAttempts, EMPTY_BOOKING, missingIn, requestOf } from './booking';
import { PatientSearch } from './PatientSearch';

const REASON_MAX = 2000;

/** Sends a booking so that it is made once, however often it is tried. */
function useBook(onBooked: (booked: Appointment) => void) {
  const cache = useQueryClient();
  const [attempts] = useState(() => createAttempts());
  return useMutation({
    mutationFn: (request: BookRequest) => client.book(request, attempts.keyFor(request)),
    onSuccess: (booked) => {
      attempts.done();
      void cache.invalidateQueries({ queryKey: keys.appointments });
      onBooked(booked);
    },
    // Booked or taken: in both cases other times are free now.
    onSettled: () => {
      void cache.invalidateQueries({ queryKey: ['slots'] });
    },
  });
}

/** For whom, with whom, when, and why. */
export function BookForm({ onBooked }: { onBooked: (booked: Appointment) => void }) {
  const { t } = useTranslation('staff');
  const [booking, setBooking] = useState<Booking>(EMPTY_BOOKING);
  const [refused, setRefused] = useState(0);
  const form = useRef<HTMLFormElement>(null);
  const doctors = useQuery(queries.doctors());
  const book = useBook(onBooked);
  const missing = refused > 0 ? missingIn(booking) : [];

  const set = (change: Partial<Booking>) => {
    setBooking((before) => ({ ...before, ...change }));
    book.reset();
  };

  useEffect(() => {
    if (refused > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [refused]);

  const submit = () => {
    if (book.isPending) return;
    const request = requestOf(booking);
    if (request) book.mutate(request);
    else setRefused((times) => times + 1);
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
      <PatientSearch
        value={booking.patient}
        onChange={(patient) => set({ patient })}
        error={missing.includes('patient') ? t('book.missing.patient') : undefined}
      />
      {doctors.isError && (
        <ReadFailed error={doctors.error} onRetry={() => void doctors.refetch()} />
      )}
      <Select
        label={t('book.doctor')}
        placeholder={t('book.chooseDoctor')}
        items={(doctors.data ?? []).map(({ id, displayName, speciality }) => ({
          id,
          label: speciality ? `${displayName} (${speciality})` : displayName,
        }))}
        value={booking.doctorId}
        onChange={(doctorId) => set({ doctorId, slot: null })}
        error={missing.includes('doctor') ? t('book.missing.doctor') : undefined}
      />
      {booking.doctorId && (
        <section aria-labelledby="when" className={layout.stack}>
          <h2 id="when">{t('book.when')}</h2>
          <SlotPicker
            key={booking.doctorId}
            doctorId={booking.doctorId}
            value={booking.slot}
            onChange={(slot) => set({ slot })}
          />
          {missing.includes('slot') && (
            <div role="alert">
              <FieldError id="slot-error">{t('book.missing.slot')}</FieldError>
            </div>
          )}
        </section>
      )}
      <TextField
        multiline
        label={t('book.reason')}
        description={t('book.reasonHelp')}
        maxLength={REASON_MAX}
        rows={3}
        value={booking.reason}
        onChange={(event) => set({ reason: event.target.value })}
      />
      <Switch
        label={t('book.confirmed')}
        description={t('book.confirmedHelp')}
        checked={booking.confirmed}
        onChange={(confirmed) => set({ confirmed })}
      />
      {isProblem(book.error, 'slot-taken') ? (
        <Notice tone="bad">{t('book.taken')}</Notice>
      ) : (
        <FormError error={book.error} />
      )}
      <div>
        <Button variant="primary" type="submit" busy={book.isPending}>
          {t('book.submit')}
        </Button>
      </div>
    </form>
  );
}
