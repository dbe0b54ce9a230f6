/**
 * Owns which switch stands in which host in each variant, and what is measured with it.
 */
import { attachReplicating } from './replication.mjs';
import { attachKernel } from './topology-kernel.mjs';
import { attachOvertap } from './topology-overtap.mjs';
import { attachOvs } from './topology-ovs.mjs';

const ALL = { tcp: [1, 4], frames: true, latency: true };
const twoWorkers = (site, host) => attachOvertap(site, host, { workers: 2 });

/**
 * `switches`: of host 1 and of host 2. `columns`: those that it is measured in. `measures`: TCP with how many streams, and
 * whether frames and latency.
 */
export const VARIANTS = {
  kernel: { switches: [attachKernel, attachKernel], columns: ['A', 'B'], measures: ALL },
  overtap: { switches: [attachOvertap, attachOvertap], columns: ['A', 'B'], measures: ALL },
  ovs: { switches: [attachOvs, attachOvs], columns: ['A', 'B'], measures: ALL },
  /** The way there is from overtap to the kernel, the way back from the kernel to overtap. */
  mixed: {
    switches: [attachOvertap, attachKernel],
    columns: ['A'],
    measures: { tcp: [1], frames: false, latency: false },
  },
  workers: {
    switches: [twoWorkers, twoWorkers],
    columns: ['A', 'B'],
    measures: { tcp: [4], frames: false, latency: false },
  },
  /** TCP between the guests while another bridge of host 1 floods to a thousand remotes. */
  replicating: {
    switches: [attachReplicating, attachOvertap],
    columns: ['A'],
    measures: { tcp: [1], frames: false, latency: false },
  },
};
