/** The variants: the switch of each host, the columns and the measures. */
import { attachReplicating } from './replication.js';
import { attachKernel } from './topology-kernel.js';
import { attachLearningKernel, attachLearningOvertap } from './topology-learning.js';
import { attachNetdev, attachOvertap } from './topology-overtap.js';
import { attachOvs } from './topology-ovs.js';
import type { VariantName } from './types.js';
import type { Attach, Measures, Variant } from './variant.js';

const ALL: Measures = { tcp: [1, 4], frames: true, latency: true };
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
  },
  overtap: {
    switches: [attachOvertap, attachOvertap],
    columns: ['A', 'B', 'L'],
    measures: { ...ALL, learning: { attach: attachLearningOvertap, addresses: 65_536, step: 1 } },
  },
  /** The guests' NICs are veth pairs, and their other ends the ports. */
  netdev: { switches: [attachNetdev], columns: ['L'], measures: ALL },
  ovs: { switches: [attachOvs, attachOvs], columns: ['A', 'B', 'L'], measures: ALL },
  /** "There" is from overtap to the kernel, "back" from the kernel to overtap. */
  mixed: {
    switches: [attachOvertap, attachKernel],
    columns: ['A'],
    measures: { tcp: [1] },
  },
  workers: {
    switches: [twoWorkers, twoWorkers],
    columns: ['A', 'B'],
    measures: { tcp: [4] },
  },
  /** Without tunnel GSO: as with NICs that cannot segment UDP tunnels, with a firewall, or with a kernel before 6.17. */
  trains: {
    switches: [trainsOnly, trainsOnly],
    columns: ['A'],
    measures: { tcp: [1, 4] },
  },
  /** TCP between the guests while another bridge of host 1 floods to a thousand remotes. */
  replicating: {
    switches: [attachReplicating, attachOvertap],
    columns: ['A'],
    measures: { tcp: [1] },
  },
  /** overtap with the largest FDB. Learning only: on the path it does not differ from overtap. */
  large: {
    switches: [],
    columns: ['A'],
    measures: { learning: { attach: attachLearningOvertap, addresses: MILLION, step: COARSE_STEP } },
  },
};
