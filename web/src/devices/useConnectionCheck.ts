import { useEffect, useState } from 'react';

import { client } from '../app/services';
import { useOnline } from '../ui';
import { browserMeans, checkConnection, NOT_STARTED, type Report } from './connection';

/** Checks at once, when the network comes or goes, and whenever asked again. */
export function useConnectionCheck(): [Report, again: () => void] {
  const [report, setReport] = useState<Report>(NOT_STARTED);
  const [turn, setTurn] = useState(0);
  const online = useOnline();
  useEffect(() => {
    const end = new AbortController();
    const means = browserMeans(() => client.media());
    void checkConnection(means, end.signal, setReport);
    return () => end.abort();
  }, [turn, online]);
  return [report, () => setTurn((before) => before + 1)];
}
