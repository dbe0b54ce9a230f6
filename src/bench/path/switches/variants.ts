/** The variants: the switch of each host, the columns and the measures. */
import os from 'node:os';

import { attachLearningKernel, attachLearningOvertap } from '../learning/switches.js';
import type { Expectation } from '../proof/path.js';
import type { VariantName } from '../types.js';
import { attachFloor } from './floor.js';
import { attachKernel } from './kernel.js';
import { attachCarried, attachNetdev, attachOvertap } from './overtap.js';
import { attachOvs, attachOvsTso } from './ovs.js';
import { attachReplicating } from './replication.js';
import { attachRoutedKernel, attachRoutedOvertap } from './routed.js';
import type { Attach, Measures, Variant } from './variant.js';

const ALL: Measures = { tcp: [1, 4, 16], frames: true, flows: true, latency: true, load: true, ndr: true };
const LOCAL: Measures = { tcp: [1, 4], frames: true, latency: true };
const hasTunnelGso = kernelIsAtLeast(6, 17);
/** Superframes go to the underlay, cut by nobody in between, or as trains. */
const BY_SUPERFRAMES: Expectation = { superframes: true, tunnelGso: null };
const BY_TUNNEL_GSO: Expectation = { superframes: true, tunnelGso: hasTunnelGso };
const BY_TRAINS: Expectation = { superframes: true, tunnelGso: false };

/** A TAP takes superframes with outer headers from Linux 6.17 on. */
function kernelIsAtLeast(major: number, minor: number): boolean {
  const [a, b] = os.release().split('.').map(Number);
  return a > major || (a === major && b >= minor);
}

const MILLION = 1_048_576;
/** A trial with a million addresses takes seconds, so their number is searched with low precision. */
const COARSE_STEP = MILLION / 64;
const trainsOnly: Attach = (site, host) => attachOvertap(site, host, { tunnelGso: false });
const twoWorkers: Attach = (site, host) => attachOvertap(site, host, { workers: 2 });

export const VARIANTS: Readonly<Record<VariantName, Variant>> = {
  kernel: {
    switches: [attachKernel, attachKernel],
    columns: ['A', 'B', 'L'],
    measures: { ...ALL, learning: { attach: attachLearningKernel, addresses: MILLION, step: COARSE_STEP } },
    path: BY_SUPERFRAMES,
  },
  overtap: {
    switches: [attachOvertap, attachOvertap],
    columns: ['A', 'B', 'L', 'P'],
    measures: { ...ALL, learning: { attach: attachLearningOvertap, addresses: 65_536, step: 1 } },
    path: BY_TUNNEL_GSO,
  },
  /** What user space has to spend at least, with plain system calls. */
  floor: { switches: [attachFloor, attachFloor], columns: ['A', 'B', 'P'], measures: ALL, path: BY_SUPERFRAMES },
  /** The guests' NICs are veth pairs, and their other ends the ports. */
  netdev: { switches: [attachNetdev, attachNetdev], columns: ['A', 'B', 'L'], measures: LOCAL },
  /** The same with known flows in the kernel. */
  carried: { switches: [attachCarried, attachCarried], columns: ['A', 'B', 'L'], measures: LOCAL },
  ovs: { switches: [attachOvs, attachOvs], columns: ['A', 'B', 'L'], measures: ALL },
  /** Only TCP gains. */
  'ovs-tso': { switches: [attachOvsTso, attachOvsTso], columns: ['A'], measures: { tcp: [1, 4] } },
  /** "There" is from overtap to the kernel, "back" from the kernel to overtap. */
  mixed: {
    switches: [attachOvertap, attachKernel],
    columns: ['A'],
    measures: { tcp: [1] },
    path: BY_TUNNEL_GSO,
  },
  workers: {
    switches: [twoWorkers, twoWorkers],
    columns: ['A', 'B'],
    measures: { tcp: [4, 16] },
    path: BY_TUNNEL_GSO,
  },
  /** Without tunnel GSO: as with NICs that cannot segment UDP tunnels, with a firewall, or with a kernel before 6.17. */
  trains: {
    switches: [trainsOnly, trainsOnly],
    columns: ['A'],
    measures: { tcp: [1, 4] },
    path: BY_TRAINS,
  },
  /** TCP between the guests while another bridge of host 1 floods to a thousand remotes. */
  replicating: {
    switches: [attachReplicating, attachOvertap],
    columns: ['A'],
    measures: { tcp: [1] },
  },
  routed: {
    switches: [attachRoutedOvertap, attachRoutedOvertap],
    columns: ['A', 'L'],
    measures: LOCAL,
    path: BY_TUNNEL_GSO,
    isRouted: true,
  },
  'routed-kernel': {
    switches: [attachRoutedKernel, attachRoutedKernel],
    columns: ['A', 'L'],
    measures: LOCAL,
    path: BY_SUPERFRAMES,
    isRouted: true,
  },
  /** overtap with the largest FDB. Learning only: on the path it does not differ from overtap. */
  large: {
    switches: [],
    columns: ['A'],
    measures: { learning: { attach: attachLearningOvertap, addresses: MILLION, step: COARSE_STEP } },
  },
};
