/**
 * A remote whose session alternates between up and down would move its entries each time, and whoever speaks for a VTEP can make it do
 * so. RFC 5882 section 3 leaves to the implementation when its clients hear of a session. Here a death is told at once, and coming back
 * is held back: after some deaths in a short time the session has to stay up for a second, then for two, four, and at most a minute.
 * Pure steps over a record; times are milliseconds of the caller's clock.
 */
import type { Verdict } from './contract.js';

/** Deaths that cost nothing: a restart, and another one soon after. */
const FREE = 2;
const FIRST_HOLD_MS = 1000;
export const LONGEST_HOLD_MS = 60_000;
/** In this time without a death one of them is forgotten. */
const CALM_MS = 60_000;
/** More deaths would not hold it back for longer. */
export const MOST_FLAPS = FREE + 1 + Math.ceil(Math.log2(LONGEST_HOLD_MS / FIRST_HOLD_MS));

export interface Damping {
  /** What the session says. */
  raw: Verdict;
  /** What was told of it. */
  told: Verdict;
  /** Deaths that are not forgotten. */
  flaps: number;
  countedAt: number;
  /** How long it has to stay up in all; 0: it is not held back. */
  hold: number;
  releaseAt: number;
}

/** @param kept what the process before had of it: the wait begins anew */
export function beginDamping(raw: Verdict, now: number, kept: { flaps?: number; damped?: number } = {}): Damping {
  const hold = raw === 'down' ? 0 : within(kept.damped, LONGEST_HOLD_MS);
  const told = hold > 0 ? 'down' : raw;
  return { raw, told, flaps: within(kept.flaps, MOST_FLAPS), countedAt: now, hold, releaseAt: now + hold };
}

function within(value = 0, most: number): number {
  return value > 0 ? Math.min(value, most) : 0;
}

/** Takes in what the session says now. @returns whether something else is to be told */
export function judge(damping: Damping, raw: Verdict, now: number): boolean {
  const before = damping.raw;
  damping.raw = raw;
  if (raw === 'down') {
    if (before === 'up') countDeath(damping, now);
    damping.hold = 0;
    damping.releaseAt = 0;
    return say(damping);
  }
  if (before === 'down' && damping.told === 'down') {
    damping.hold = holdAfter(flapsAt(damping, now));
    damping.releaseAt = now + damping.hold;
  }
  return release(damping, now);
}

/** Looks whether it was up for long enough. @returns whether that is to be told */
export function release(damping: Damping, now: number): boolean {
  if (now < damping.releaseAt) return false;
  damping.hold = 0;
  return say(damping);
}

/** When `release` is due; Infinity: not at all. */
export function releaseDue({ hold, releaseAt }: Damping): number {
  return hold === 0 ? Number.POSITIVE_INFINITY : releaseAt;
}

function say(damping: Damping): boolean {
  if (damping.told === damping.raw) return false;
  damping.told = damping.raw;
  return true;
}

function flapsAt({ flaps, countedAt }: Damping, now: number): number {
  return Math.max(0, flaps - Math.floor((now - countedAt) / CALM_MS));
}

function countDeath(damping: Damping, now: number): void {
  damping.flaps = Math.min(flapsAt(damping, now) + 1, MOST_FLAPS);
  damping.countedAt = now;
}

function holdAfter(flaps: number): number {
  return flaps <= FREE ? 0 : Math.min(FIRST_HOLD_MS * 2 ** (flaps - FREE - 1), LONGEST_HOLD_MS);
}
