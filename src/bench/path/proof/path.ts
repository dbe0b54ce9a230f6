/**
 * Proof of path: which devices and which offloads carried the traffic of a measure, from counters before and after it, and
 * whether that is what the variant is measured for. Pure; counters.ts and the switches read the counters.
 */
import type { DeviceCounters } from './counters.js';

/** What a switch counted at its tunnel: inner frames and bytes. */
export interface TunnelCounters {
  readonly txBytes: number;
  readonly rxBytes: number;
  /** Superframes that left unsegmented, by tunnel GSO; null for switches that do not have it. */
  readonly superframes: number | null;
}

/** The counters of a host at a moment. */
export interface HostCounters {
  readonly underlay: DeviceCounters;
  /** Null where the switch cannot be asked. */
  readonly tunnel: TunnelCounters | null;
}

/** Bytes that a measure carried at least, from guest 1 to guest 2 and back: without Ethernet headers, which not all devices count. */
export interface Carried {
  readonly there: number;
  readonly back: number;
}

/** What a variant is expected to use. */
export interface Expectation {
  /** The underlay's packets with TCP: larger than its MTU (segmented by whoever takes them), or not. Null: either. */
  readonly superframes: boolean | null;
  /** Host 1's superframes leave unsegmented. Null: either. */
  readonly tunnelGso: boolean | null;
}

/** What carried a measure: a row of the report. Bytes and packets of the underlay, there and back, as host 1 counted them. */
export interface Shown {
  readonly there: number;
  readonly back: number;
  /** Mean bytes of an underlay packet, there; 0 without packets. */
  readonly packetBytes: number;
  /** Bytes that the tunnels of both switches counted there: the smaller one. Null: not counted. */
  readonly tunnelBytes: number | null;
  readonly superframes: number | null;
}

/** Share of the payload that counters must show: both are read while frames are on the way. */
const LEAST_SHARE = 0.95;
/** An Ethernet frame at the underlay's MTU, with room for a tag. */
const LARGEST_PACKET = 1518;
/** Less payload says nothing about offloads: TCP begins with small packets. */
const LEAST_BYTES = 10_000_000;

type Moment = readonly HostCounters[];

/** What happened between two moments. Both have host 1 and host 2. */
export function between(before: Moment, after: Moment): Shown {
  const grown = (host: number, key: keyof DeviceCounters): number =>
    after[host].underlay[key] - before[host].underlay[key];
  const [a, b] = [0, 1].map((host) => ({ from: before[host].tunnel, to: after[host].tunnel }));
  const sent = a.from && a.to ? a.to.txBytes - a.from.txBytes : null;
  const received = b.from && b.to ? b.to.rxBytes - b.from.rxBytes : null;
  const counted = [sent, received].filter((bytes) => bytes !== null);
  const packets = grown(0, 'txPackets');
  return {
    there: Math.min(grown(0, 'txBytes'), grown(1, 'rxBytes')),
    back: Math.min(grown(1, 'txBytes'), grown(0, 'rxBytes')),
    packetBytes: packets === 0 ? 0 : Math.round(grown(0, 'txBytes') / packets),
    tunnelBytes: counted.length === 0 ? null : Math.min(...counted),
    superframes:
      a.from?.superframes == null || a.to?.superframes == null ? null : a.to.superframes - a.from.superframes,
  };
}

/**
 * Compares what carried a measure with what is expected.
 * @param plain whether the underlay takes no superframes (column B)
 * @param isTcp whether the payload was TCP, which is segmented and coalesced
 * @returns sentences about what did not go the expected way
 */
export function deviations(
  shown: Shown,
  carried: Carried,
  expected: Expectation,
  { plain, isTcp }: { plain: boolean; isTcp: boolean },
): string[] {
  const wrong: string[] = [];
  const carries = (what: string, bytes: number | null, least: number): void => {
    if (bytes !== null && bytes < least * LEAST_SHARE)
      wrong.push(`${what} carried ${bytes} bytes of ${Math.round(least)}: the traffic took another way`);
  };
  carries('the underlay, there,', shown.there, carried.there);
  carries('the underlay, back,', shown.back, carried.back);
  carries("the switches' tunnels, there,", shown.tunnelBytes, carried.there);
  if (!isTcp || carried.there < LEAST_BYTES) return wrong;
  const isLarge = shown.packetBytes > LARGEST_PACKET;
  if (plain && isLarge)
    wrong.push(`packets of ${shown.packetBytes} bytes crossed an underlay that takes none so large`);
  if (!plain && expected.superframes !== null && isLarge !== expected.superframes)
    wrong.push(
      `the underlay's packets had ${shown.packetBytes} bytes: superframes ${isLarge ? 'were' : 'were not'} left to it`,
    );
  if (plain || expected.tunnelGso === null || shown.superframes === null) return wrong;
  if (shown.superframes > 0 !== expected.tunnelGso)
    wrong.push(
      `${shown.superframes} superframes left by tunnel GSO, which was to be ${expected.tunnelGso ? 'used' : 'off'}`,
    );
  return wrong;
}
