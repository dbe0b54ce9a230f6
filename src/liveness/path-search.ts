/**
 * Packetization layer path MTU discovery (RFC 8899) towards one remote, as pure steps over a record: which size to try next, and what
 * is known. Nothing is sent or timed here. Sizes are bytes of the outer IP packet, times milliseconds of the caller's clock.
 *
 *   DISABLED --session up--> BASE --answered--> SEARCHING --ends--> COMPLETE --RAISE_MS--> SEARCHING
 *                             |  ^--- three confirmations lost (black hole) ---'
 *                             '--three lost--> ERROR --the least size is answered--> SEARCHING
 *
 * The wide end is tried first, since most paths are as wide as the kernel says. Until that has failed, nothing is known, and the
 * kernel's path MTU holds: a session that comes up does not make guests change their MTU for a moment.
 */

/** RFC 8899 section 5.1.2, with the minimum of IPv6 (RFC 8200 section 5) for both families. */
export const BASE_MTU = 1280;
/** What every IPv4 host takes (RFC 1122 section 3.3.3). */
const LEAST_MTU_IPV4 = 576;
/** No wider path is searched for. */
export const WIDEST_MTU = 9216;
/** Section 5.1.1: never below a second. */
export const PROBE_MS = 1000;
/** Section 5.1.2: so many probes of a size are lost before it counts as too long. */
export const MAX_PROBES = 3;
/** A path that was found is confirmed as often (section 4.3): after five seconds at most a black hole is known. */
export const CONFIRM_MS = 2000;
/** Section 5.1.1: when a narrower path is searched anew. */
export const RAISE_MS = 600_000;
/** A search ends when its bounds are as close. */
const CLOSE = 4;

/** MTUs of links and tunnels, which are tried before what lies between. */
const USUAL = [576, 1006, 1280, 1300, 1350, 1400, 1420, 1440, 1450, 1460, 1480, 1492, 1500, 2000, 4352, 8900, 9000];

export const SEARCH_STATES = ['disabled', 'base', 'searching', 'complete', 'error'] as const;
export type SearchState = (typeof SEARCH_STATES)[number];

export interface Search {
  state: SearchState;
  readonly family: 4 | 6;
  /** The widest that the kernel knows to leave this host. */
  limit: number;
  /** The longest that was answered, or is taken to pass. */
  low: number;
  /** The shortest known not to pass; beyond `limit`: none is. */
  high: number;
  /** What holds for frames; 0: nothing is known. */
  mtu: number;
  /** Of the probe under way; 0: none. */
  size: number;
  /** How often this size was lost in a row. */
  lost: number;
  /** Whether the remote has ever answered a probe of this session. */
  isAnswering: boolean;
  /** When a probe is due, or the one under way is lost. */
  dueAt: number;
  /** When the last search has ended, or begun. */
  since: number;
  sent: number;
  lostInAll: number;
  blackHoles: number;
}

export function beginSearch(family: 4 | 6, limit: number): Search {
  return {
    state: 'disabled',
    family,
    limit: Math.min(limit, WIDEST_MTU),
    low: 0,
    high: 0,
    mtu: 0,
    size: 0,
    lost: 0,
    isAnswering: false,
    dueAt: Number.POSITIVE_INFINITY,
    since: Number.NEGATIVE_INFINITY,
    sent: 0,
    lostInAll: 0,
    blackHoles: 0,
  };
}

/** The least size that frames are cut to. */
function leastOf({ family, limit }: Search): number {
  return Math.min(family === 4 ? LEAST_MTU_IPV4 : BASE_MTU, limit);
}

function baseOf({ limit }: Search): number {
  return Math.min(BASE_MTU, limit);
}

/** The session is up. A session that flaps makes no more than one probe a second. */
export function enable(search: Search, now: number): void {
  if (search.state !== 'disabled') return;
  search.isAnswering = false;
  enterBase(search, Math.max(now, search.since + PROBE_MS), search.limit + 1);
  search.since = now;
}

/** The session is down. What was found holds until another search says otherwise. */
export function disable(search: Search): void {
  search.state = 'disabled';
  search.size = 0;
  search.dueAt = Number.POSITIVE_INFINITY;
}

/** The kernel knows of another MTU. */
export function setLimit(search: Search, wanted: number, now: number): void {
  const limit = Math.min(wanted, WIDEST_MTU);
  if (limit === search.limit) return;
  search.limit = limit;
  if (search.mtu > limit) search.mtu = limit;
  if (search.state !== 'disabled') enterBase(search, now, limit + 1);
}

function enterBase(search: Search, at: number, high: number): void {
  search.state = 'base';
  search.low = 0;
  search.high = high;
  rest(search, at);
}

/** No probe is under way; the next one is due then. */
function rest(search: Search, at: number): void {
  search.size = 0;
  search.lost = 0;
  search.dueAt = at;
}

/** Looks whether the probe under way is lost. To be called before `probe`. @returns whether `mtu` or the state has changed */
export function expireProbe(search: Search, now: number): boolean {
  const { size, state, mtu } = search;
  if (size === 0 || now < search.dueAt) return false;
  search.lost++;
  search.lostInAll++;
  search.dueAt = now;
  if (search.lost < MAX_PROBES) return false;
  rest(search, now);
  fail(search, size, now);
  return state !== search.state || mtu !== search.mtu;
}

/** Takes the next probe, if one is due. @returns its size; 0: none is due */
export function probe(search: Search, now: number): number {
  if (now < search.dueAt) return 0;
  if (search.state === 'complete' && search.low < search.limit && now >= search.since + RAISE_MS) {
    search.state = 'searching';
    search.high = search.limit + 1;
    rest(search, now);
  }
  if (search.size === 0) search.size = nextSize(search);
  search.dueAt = now + PROBE_MS;
  search.sent++;
  return search.size;
}

/** A probe was not sent: the session has something to settle first. */
export function postpone(search: Search, until: number): void {
  if (search.dueAt < until) search.dueAt = until;
}

function nextSize(search: Search): number {
  const { state, low, high, limit } = search;
  if (state === 'base') return baseOf(search);
  if (state === 'error') return leastOf(search);
  if (state === 'complete') return low;
  if (high > limit) return limit;
  const middle = (low + high) >> 1;
  const room = (high - low) >> 2;
  const usual = USUAL.filter((size) => size > low && size < high && Math.abs(size - middle) <= room);
  usual.sort((one, other) => Math.abs(one - middle) - Math.abs(other - middle));
  return usual[0] ?? middle;
}

/** The probe under way was answered. @returns whether `mtu` or the state has changed */
export function answer(search: Search, now: number): boolean {
  const { size, state, mtu, lost } = search;
  if (size === 0) return false;
  search.isAnswering = true;
  // Answers to those that were given up may still come; they must not count for another size.
  rest(search, lost === 0 ? now : now + PROBE_MS);
  if (state === 'complete') search.dueAt = now + CONFIRM_MS;
  else {
    search.state = 'searching';
    search.low = size;
    if (search.high <= size) search.high = search.limit + 1;
    if (search.high <= search.limit) search.mtu = size;
    endIfClose(search, now);
  }
  return state !== search.state || mtu !== search.mtu;
}

/** So many probes of a size were lost that it is too long. */
function fail(search: Search, size: number, now: number): void {
  switch (search.state) {
    case 'searching':
      search.high = size;
      search.mtu = search.low;
      endIfClose(search, now);
      return;
    case 'complete':
      search.blackHoles++;
      if (size <= baseOf(search)) enterError(search, size);
      else {
        search.mtu = baseOf(search);
        enterBase(search, now, size);
      }
      return;
    case 'base':
      enterError(search, size);
      return;
    default:
      // Not even the shortest is answered, while the session is up: the remote answers none, which says nothing about the path.
      search.isAnswering = false;
      search.mtu = 0;
      search.dueAt = now + CONFIRM_MS;
  }
}

function enterError(search: Search, size: number): void {
  search.state = 'error';
  search.low = 0;
  search.high = size;
  search.mtu = search.isAnswering ? leastOf(search) : 0;
}

function endIfClose(search: Search, now: number): void {
  const isWhole = search.low >= search.limit;
  if (!isWhole && (search.high > search.limit || search.high - search.low > CLOSE)) return;
  search.state = 'complete';
  search.mtu = search.low;
  search.since = now;
  search.dueAt = now + CONFIRM_MS;
}
