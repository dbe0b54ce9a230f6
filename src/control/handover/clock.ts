/** The clock that both processes have in common. */
import { TICK_MS } from '../../dataplane/engine.js';

/** CLOCK_MONOTONIC in milliseconds, as `STATUS_NOW` of a PacketIo shows it. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** The tick of an engine that starts now: see `Engine.begin`. */
export function presentTick(): number {
  return Math.floor((Math.floor(monotonicMs()) % 2 ** 31) / TICK_MS);
}
