/** The operation for a bridge, from its configuration. Pure. */
import { TICK_MS } from '../../dataplane/engine.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { AGEING_NEVER } from '../../fdb/table.js';
import type { BridgeModel } from '../model/model.js';

const TICKS_PER_SECOND = 1000 / TICK_MS;

/** Creates or changes a bridge. */
export function bridgeOperation({ index, config }: BridgeModel): Operation {
  return {
    op: 'bridge',
    bridge: index,
    filtering: config.vlan_filtering,
    // Ageing time 0 disables learning (portFlags); learned entries remain.
    ageingTicks: config.ageing_time === 0 ? AGEING_NEVER : config.ageing_time * TICKS_PER_SECOND,
    maxLearned: config.fdb_max_learned,
    groupFwdMask: config.group_fwd_mask,
    snooping: config.mcast_snooping,
  };
}
