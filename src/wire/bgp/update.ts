/**
 * BGP UPDATE, received (RFC 4271 section 4.3), judged by RFC 7606.
 *
 *   byte 19                2            +2             +2
 *        +-----------------+------------+--------------+------------+------
 *        | withdrawn bytes | withdrawn  | attribute    | attributes | NLRI
 *        |                 | (IPv4)     | bytes        |            | (IPv4)
 *        +-----------------+------------+--------------+------------+------
 *
 * EVPN routes are in attributes (RFC 4760); IPv4 routes are checked for their lengths and ignored.
 */

import { viewOf } from '../bytes.js';
import { mergeAs4Path } from './as-path.js';
import { AS_PATH, LOCAL_PREF, MP_UNREACH, ORIGIN } from './attribute-types.js';
import type { Draft } from './attribute-values.js';
import { type AttributeFault, type AttributeList, decodeAttributes, note } from './attributes.js';
import { NO_COMMUNITIES } from './communities.js';
import {
  ERROR_UPDATE,
  type Notification,
  notification,
  UPDATE_BAD_ATTRIBUTE_LIST,
  UPDATE_BAD_NETWORK,
} from './notification.js';
import type { EvpnRoute, OtherRoute, PathAttributes } from './route.js';
import type { SessionFormat } from './session.js';

/** Routes of one UPDATE. Withdrawals come first: a route that is in both lists is announced (RFC 4271 section 4.3). */
export interface Update {
  withdrawn: EvpnRoute[];
  announced: EvpnRoute[];
  /** Of `announced`; null: nothing is. */
  attributes: PathAttributes | null;
  /** Announced routes of types 1, 4, and of those that nobody here knows. */
  others: OtherRoute[];
  /** The neighbour has sent all its EVPN routes (RFC 4724 section 2). */
  isEndOfRib: boolean;
  /** Routes whose inner lengths contradict each other, skipped. */
  malformed: number;
}

/** What an UPDATE leads to. */
export type UpdateResult =
  | { verdict: 'reset'; notification: Notification }
  /** `withdraw`: what the message announces is in `withdrawn`. */
  | { verdict: 'fine' | 'discard' | 'withdraw'; update: Update; faults: AttributeFault[] };

/** Reads the body of an UPDATE, at least 4 bytes. It never throws. */
export function decodeUpdate(body: Uint8Array, session: SessionFormat): UpdateResult {
  const view = viewOf(body);
  const withdrawnEnd = 2 + view.getUint16(0);
  if (withdrawnEnd + 2 > body.length) return reset(UPDATE_BAD_ATTRIBUTE_LIST);
  const attributes = withdrawnEnd + 2;
  const nlri = attributes + view.getUint16(withdrawnEnd);
  if (nlri > body.length) return reset(UPDATE_BAD_ATTRIBUTE_LIST);
  if (!arePrefixes(body, 2, withdrawnEnd) || !arePrefixes(body, nlri, body.length)) return reset(UPDATE_BAD_NETWORK);
  const list = decodeAttributes(body, attributes, nlri, session);
  if ('reset' in list) return { verdict: 'reset', notification: list.reset };
  const { draft } = list;
  const isReachable = draft.hasReach === true || nlri < body.length;
  if (isReachable) checkMandatory(list, session);
  // RFC 7606 section 5.2: without routes beside them, wrong attributes may have hidden routes.
  else if (list.verdict === 'withdraw') return reset(UPDATE_BAD_ATTRIBUTE_LIST);
  return {
    verdict: list.verdict,
    update: makeUpdate(list, body.length === 4 + nlri - attributes),
    faults: list.faults,
  };
}

function reset(subcode: number): UpdateResult {
  return { verdict: 'reset', notification: notification(ERROR_UPDATE, subcode) };
}

/** RFC 7606 section 3 (d). NEXT_HOP goes with IPv4 routes only (RFC 4760 section 3). */
function checkMandatory(list: AttributeList, session: SessionFormat): void {
  for (const type of session.isInternal ? [ORIGIN, AS_PATH, LOCAL_PREF] : [ORIGIN, AS_PATH]) {
    if (!list.present.has(type)) note(list, type, 'withdraw', 'is missing');
  }
}

/** @param isBare nothing is in the fields for IPv4 */
function makeUpdate(list: AttributeList, isBare: boolean): Update {
  const { reach, unreach } = list.draft;
  const update: Update = {
    withdrawn: [],
    announced: [],
    attributes: null,
    others: [],
    isEndOfRib: false,
    malformed: (reach?.list.malformed ?? 0) + (unreach?.malformed ?? 0),
  };
  if (unreach !== undefined) {
    update.withdrawn = unreach.unusable.length > 0 ? [...unreach.routes, ...unreach.unusable] : unreach.routes;
    const isOnly = isBare && list.present.size === 1 && list.present.has(MP_UNREACH);
    const isEmpty = update.withdrawn.length + unreach.others.length + unreach.malformed === 0;
    update.isEndOfRib = isOnly && isEmpty;
  }
  if (reach !== undefined) {
    const { routes, unusable, others } = reach.list;
    const isWithdrawn = list.verdict === 'withdraw';
    const gone = isWithdrawn ? [...routes, ...unusable] : unusable;
    if (gone.length > 0) update.withdrawn = [...update.withdrawn, ...gone];
    if (!isWithdrawn) {
      update.announced = routes;
      update.others = others;
      if (routes.length > 0) update.attributes = makeAttributes(list.draft, reach.nextHop);
    }
  }
  return update;
}

/** The verdict is not `withdraw`, so what is mandatory is there. */
function makeAttributes(draft: Draft, nextHop: string): PathAttributes {
  const { origin = 2, asPath = [], as4Path, med, localPref, communities, originatorId, clusterList, pmsi } = draft;
  const isMerged = as4Path !== undefined && draft.hasShortAggregator !== true;
  return {
    origin,
    asPath: isMerged ? mergeAs4Path(asPath, as4Path) : asPath,
    nextHop,
    ...(med === undefined ? {} : { med }),
    ...(localPref === undefined ? {} : { localPref }),
    ...(communities === undefined ? {} : { communities }),
    ...(originatorId === undefined ? {} : { originatorId }),
    ...(clusterList === undefined ? {} : { clusterList }),
    ...(pmsi === undefined ? {} : { pmsi }),
    extended: draft.extended ?? NO_COMMUNITIES,
  };
}

/** Whether IPv4 prefixes fill a field just so (RFC 7606 section 5.3). */
function arePrefixes(body: Uint8Array, at: number, end: number): boolean {
  while (at < end) {
    if (body[at] > 32) return false;
    at += 1 + ((body[at] + 7) >>> 3);
  }
  return at === end;
}
