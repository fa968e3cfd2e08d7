// Reading the page marks what stands on it as read. What was new when it was opened stays marked as
// new for as long as it is open, so that nothing changes under the eyes of who reads.

import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

import type { ListInboxReply } from '../api';
import { keys } from '../app/queries';
import { client } from '../app/services';
import { usePageVisible } from '../ui';

/** What was in sight for so long was seen. */
const SEEN_AFTER_MS = 2000;

export function useReading(inbox: ListInboxReply | undefined) {
  const queryClient = useQueryClient();
  const visible = usePageVisible();
  const lastSeq = inbox?.lastSeq;
  const unread = inbox !== undefined && Number(inbox.lastSeq) > Number(inbox.readSeq);

  const { mutate, mutateAsync, isPending } = useMutation({
    mutationFn: (seq: string) => client.markRead(seq),
    onSuccess: ({ readSeq }) => {
      queryClient.setQueryData<ListInboxReply>(keys.inbox, (old) => old && { ...old, readSeq });
    },
  });

  // Up to where it was read when the page was opened.
  const [readAtFirst, setReadAtFirst] = useState<string>();
  if (inbox && readAtFirst === undefined) setReadAtFirst(inbox.readSeq);

  useEffect(() => {
    if (!visible || !unread || lastSeq === undefined) return;
    const timer = setTimeout(() => mutate(lastSeq), SEEN_AFTER_MS);
    return () => clearTimeout(timer);
  }, [visible, unread, lastSeq, mutate]);

  return {
    isNew: (seq: string) => readAtFirst !== undefined && Number(seq) > Number(readAtFirst),
    busy: isPending,
    markAll: async (): Promise<void> => {
      if (lastSeq === undefined) return;
      const { readSeq } = await mutateAsync(lastSeq);
      setReadAtFirst(readSeq);
    },
  };
}
