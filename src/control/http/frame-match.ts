/** Which observed frames fit a filter (`values/frame-filter.ts`). Pure. */
import type { FrameFilter } from '../../values/frame-filter.js';
import { summaryOf } from '../../wire/summary.js';
import type { ObservedFrame } from '../controls.js';

/** Bytes that a filter looks at. */
export const LOOKED_AT = 128;

type Test = (frame: ObservedFrame) => boolean;

/** @returns whether a frame fits; of each kind of the filter one value has to */
export function matcher(filter: FrameFilter): Test {
  const tests = Object.entries(filter).map(([kind, values]) => {
    const wanted = new Set<unknown>(values);
    const facts = FACTS[kind as keyof FrameFilter];
    return (frame: ObservedFrame) => facts(frame).some((fact) => fact !== undefined && wanted.has(fact));
  });
  return (frame) => tests.every((test) => test(frame));
}

/** What a frame has of each kind. */
const FACTS: { readonly [Kind in keyof FrameFilter]-?: (frame: ObservedFrame) => (string | number | undefined)[] } = {
  port: ({ port, copies }) => [port, ...copies.map((copy) => copy.port)],
  vlan: ({ vlan }) => [vlan],
  vni: ({ vni, copies }) => [vni, ...copies.map((copy) => copy.vni)],
  remote: ({ remote, copies }) => [remote, ...copies.map((copy) => copy.remote)],
  reason: ({ reason, copies }) => [reason, ...copies.map((copy) => copy.reason)],
  verdict: ({ verdict }) => [verdict],
  mac({ bytes }) {
    const summary = summaryOf(bytes.subarray(0, LOOKED_AT));
    return [summary?.source, summary?.destination];
  },
  ip({ bytes }) {
    const summary = summaryOf(bytes.subarray(0, LOOKED_AT));
    return [summary?.from, summary?.to];
  },
};
