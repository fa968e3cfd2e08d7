import { Page, type PageProps } from '../ui/Page';
import WaitingAlert from './WaitingAlert';

/** A screen of a doctor, which also tells when a patient waits. */
export function DoctorPage(props: PageProps) {
  return (
    <>
      <WaitingAlert />
      <Page {...props} />
    </>
  );
}
