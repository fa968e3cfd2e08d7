// @ts-check
// The clinic's record of a call beside what the browsers saw of it themselves.

/** @typedef {import('./media.mjs').Stay} Stay */
/**
 * One edge of one stay: how much later than the browser the record has it. `unsureMs`: so much
 * later still it may have been, as the record itself says, or as far as the browser can tell.
 * @typedef {{ sid: string, edge: 'joined' | 'left', apartMs: number, unsureMs: number }} Edge
 */

/** @param {any} record as GET /v1/appointments/{id}/calls answers */
export const presences = (record) =>
  record.calls.flatMap((/** @type {any} */ call) => call.presences);

/**
 * Compares edge by edge; fails unless both know the same stays, and agree on which are over.
 * @param {any} record
 * @param {Stay[]} seen by all browsers
 * @param {(time: string) => number} trueTime of a time by the clinic's clock, in milliseconds
 */
export function compare(record, seen, trueTime) {
  const kept = presences(record);
  const sids = (/** @type {Array<{ sid: string }>} */ all) => all.map((one) => one.sid).sort();
  if (sids(kept).join() !== sids(seen).join()) {
    throw new Error(`the record knows the stays ${sids(kept)}, the browsers ${sids(seen)}`);
  }
  /** @type {Edge[]} */ const edges = [];
  for (const stay of seen) {
    const { sid } = stay;
    const one = kept.find((/** @type {any} */ presence) => presence.sid === sid);
    edges.push({ sid, edge: 'joined', unsureMs: 0, apartMs: trueTime(one.joinedAt) - stay.from });
    if (Boolean(one.leftAt) !== (stay.to !== undefined)) {
      throw new Error(`${sid} has left at ${one.leftAt || 'no time'} by the record, at ${
        stay.to ? new Date(stay.to).toISOString() : 'no time'} by the browser`);
    }
    if (stay.to === undefined) continue;
    const unsureMs = one.unsure ? trueTime(one.goneAt) - trueTime(one.leftAt) : 0;
    edges.push({ sid, edge: 'left', apartMs: trueTime(one.leftAt) - stay.to,
      unsureMs: stay.how === 'lost' ? Infinity : unsureMs }); // `to` is when the browser noticed
  }
  return edges;
}

/** @param {Edge[]} edges @returns the greatest distance, in whole milliseconds */
export const widest = (edges) => Math.round(Math.max(...edges.map((e) => Math.abs(e.apartMs))));
