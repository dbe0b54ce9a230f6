/** The operation for a bridge, from its configuration. Pure. */
import { TICK_MS } from '../../dataplane/engine.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { AGEING_NEVER } from '../../fdb/table.js';
import type { BridgeModel } from '../model/model.js';

const TICKS_PER_SECOND = 1000 / TICK_MS;

/** Creates or changes a bridge. */
export function bridgeOperation({ index, config, probeId, fastAgeing }: BridgeModel): Operation {
  const ageing = Math.min(config.ageing_time, fastAgeing ?? config.ageing_time);
  return {
    op: 'bridge',
    bridge: index,
    filtering: config.vlan_filtering,
    ...(config.vlan_protocol === '802.1ad' ? { serviceTags: true } : {}),
    // Ageing time 0 disables learning (portFlags); learned entries remain.
    ageingTicks: config.ageing_time === 0 ? AGEING_NEVER : Math.ceil(ageing * TICKS_PER_SECOND),
    maxLearned: config.fdb_max_learned,
    groupFwdMask: config.group_fwd_mask,
    snooping: config.mcast_snooping,
    ...(config.fdb_local_vlan_0 ? { localVlan0: true } : {}),
    ...(config.stp_state ? { stp: true } : {}),
    // A cross-connect passes every frame.
    ...(config.loop_guard && !config.xconnect ? { guard: probeId } : {}),
  };
}
