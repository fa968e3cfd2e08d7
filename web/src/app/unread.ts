import { useQuery } from '@tanstack/react-query';

import { queries } from './queries';

/** How many notices nobody has looked at; 0 while it is not known. */
export function useUnread(): number {
  const { data } = useQuery(queries.inbox());
  return data ? Math.max(0, Number(data.lastSeq) - Number(data.readSeq)) : 0;
}
