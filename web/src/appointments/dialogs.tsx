// The dialogs about an appointment, each loaded when it is opened first.

import { type ComponentType, lazy, type LazyExoticComponent, Suspense } from 'react';

import type { AppointmentDialogProps } from './CancelDialog';

type LazyDialog = LazyExoticComponent<ComponentType<AppointmentDialogProps>>;

function whenOpen(Dialog: LazyDialog) {
  return function OpenedDialog(props: AppointmentDialogProps) {
    if (!props.isOpen) return null;
    return (
      <Suspense>
        <Dialog {...props} />
      </Suspense>
    );
  };
}

export const CancelDialog = whenOpen(
  lazy(async () => ({ default: (await import('./CancelDialog')).CancelDialog })),
);
export const DeclineDialog = whenOpen(
  lazy(async () => ({ default: (await import('./DeclineDialog')).DeclineDialog })),
);
export const MoveDialog = whenOpen(
  lazy(async () => ({ default: (await import('./MoveDialog')).MoveDialog })),
);
