import { useMemo } from 'react';

import { waitingPatients } from './today';
import { useWaitingAlert } from './useWaitingAlert';
import { useWeek } from './useWeek';

/** Shows nothing: tells the doctor, on every page, when a patient waits. */
export default function WaitingAlert() {
  const { week, now } = useWeek();
  const { data } = week;
  useWaitingAlert(useMemo(() => data && waitingPatients(data, now), [data, now]));
  return null;
}
