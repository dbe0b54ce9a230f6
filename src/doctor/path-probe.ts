/**
 * Probes a remote by pings: reachability and path MTU. It paces the requests and keeps a deadline; `judge-remotes.ts` interprets
 * the facts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { SMALL_ECHO } from './echo.js';
import { gate } from './limited.js';
import { findPathMtu, type PathMtu } from './path-mtu.js';
import type { Answer, Path, Pinger } from './pinger.js';

/** Times in milliseconds of the pings of a remote. */
const PINGS_AT = [0, 150, 300];
const PING_PATIENCE_MS = 700;
/** Remotes started together, and the milliseconds until the next group, so that their replies can be received. */
const GROUP = 50;
const GROUP_EVERY_MS = 10;
/** Concurrent path MTU searches: each may send hundreds of large packets. */
const SEARCHES = 64;
/** Bounds of the timeout for a large packet; between them it follows the round-trip time. */
const LEAST_PATIENCE_MS = 150;
const MOST_PATIENCE_MS = 400;
/** Packet size that every host must accept (RFC 791, RFC 8200). */
const LEAST_MTU = { 4: 576, 6: 1280 } as const;

export interface PathRequest {
  readonly path: Path;
  /** The largest packet to probe, in bytes. */
  readonly most: number;
}

export interface PathFacts {
  readonly echo: Answer;
  /** Absent without a reply, or when time ran out. */
  readonly mtu?: PathMtu;
}

/** Pings every path, at most three times, and searches for the MTU of those that reply. @param untilMs of performance.now() */
export async function probePaths(
  pinger: Pick<Pinger, 'ping'>,
  requests: readonly PathRequest[],
  untilMs: number,
): Promise<PathFacts[]> {
  const search = gate(SEARCHES);
  return await Promise.all(
    requests.map(async ({ path, most }, index) => {
      await delay(Math.floor(index / GROUP) * GROUP_EVERY_MS);
      const echo = await reach(pinger, path);
      if (echo.kind !== 'reply') return { echo };
      const mtu = await search(() => mtuOf(pinger, path, most, echo.ms, untilMs));
      return mtu === undefined ? { echo } : { echo, mtu };
    }),
  );
}

/** The first reply; without one, the error received. */
async function reach(pinger: Pick<Pinger, 'ping'>, path: Path): Promise<Answer> {
  let answered = false;
  const attempt = async (at: number): Promise<Answer> => {
    await delay(at);
    return answered ? { kind: 'silent' } : ping(pinger, path, SMALL_ECHO[path.family], PING_PATIENCE_MS);
  };
  return await new Promise((resolve) => {
    const attempts = PINGS_AT.map(async (at) => {
      const answer = await attempt(at);
      if (answer.kind === 'reply') {
        answered = true;
        resolve(answer);
      }
      return answer;
    });
    void Promise.all(attempts).then((all) =>
      resolve(all.find(({ kind }) => kind !== 'silent') ?? { kind: 'silent' as const }),
    );
  });
}

async function mtuOf(
  pinger: Pick<Pinger, 'ping'>,
  path: Path,
  most: number,
  roundTripMs: number,
  until: number,
): Promise<PathMtu | undefined> {
  const now = (): number => performance.now();
  if (now() >= until) return undefined;
  const patience = Math.min(MOST_PATIENCE_MS, Math.max(LEAST_PATIENCE_MS, 3 * roundTripMs + 100));
  const probe = (size: number): Promise<Answer> =>
    ping(pinger, path, size, Math.max(1, Math.min(patience, until - now())));
  return await findPathMtu(probe, { least: LEAST_MTU[path.family], most, until, now });
}

/** A failure to open a socket becomes an answer for this path only; the others continue. */
async function ping(pinger: Pick<Pinger, 'ping'>, path: Path, size: number, patienceMs: number): Promise<Answer> {
  try {
    return await pinger.ping(path, size, patienceMs);
  } catch (error) {
    return { kind: 'refused', words: error instanceof Error ? error.message : String(error) };
  }
}
