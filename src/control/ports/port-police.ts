/** What a port may receive and send, for the data path, from its options. Pure. */
import type { PortConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { NO_POLICE, type PoliceLimits } from '../../dataplane/state/policers.js';

/** Bits of ten frames of 1,518 bytes. */
const LEAST_BURST = 10 * 1518 * 8;
/** Part of a second that a burst has by default. */
const BURST_PART = 10;

/** The limits of a port that has none. */
export function noPolice({ index }: { index: number }): Operation {
  return { op: 'police', port: index, input: NO_POLICE, output: NO_POLICE };
}

/** The limits of a port. */
export function policeOperation({ index, config }: { index: number; config: PortConfig }): Operation {
  return { op: 'police', port: index, input: limitsOf(config.police_in), output: limitsOf(config.police_out) };
}

function limitsOf({ rate, burst, pkts_rate, pkts_burst }: PortConfig['police_in']): PoliceLimits {
  return {
    rate,
    burst: rate === 0 ? 0 : burst || Math.max(LEAST_BURST, Math.ceil(rate / BURST_PART)),
    pktsRate: pkts_rate,
    pktsBurst: pkts_rate === 0 ? 0 : pkts_burst || Math.max(1, Math.ceil(pkts_rate / BURST_PART)),
  };
}
