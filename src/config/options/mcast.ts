/**
 * The options of IGMP and MLD snooping: those of a bridge, which are also those of each of its VLANs (`vlan_global`) where it snoops by
 * VLAN.
 */
import { value } from '../../values/value.js';
import { option, required } from './option.js';
import { bit, number } from './word.js';

export const snoopingOptions = {
  mcast_snooping: option({
    value: value.flag,
    default: true,
    word: bit(),
    doc: 'IGMP and MLD snooping: multicast frames go to members and routers only, while a querier is heard.',
  }),
  mcast_querier: option({
    value: value.flag,
    default: false,
    word: bit(),
    doc: 'The switch sends IGMP and MLD queries in every VLAN of the bridge, unless another querier with a lower address does: without a querier, snooping restricts nothing.',
  }),
  mcast_igmp_version: option({
    value: value.igmpVersion,
    default: 2,
    word: number('2|3'),
    doc: 'Version of IGMP queries. 3: the sources that members ask for are obeyed too.',
  }),
  mcast_mld_version: option({
    value: value.mldVersion,
    default: 1,
    word: number('1|2'),
    doc: 'Version of MLD queries. 2: the sources that listeners ask for are obeyed too.',
  }),
  mcast_query_interval: option({
    value: value.queryInterval,
    default: 12_500,
    word: number('CENTISECONDS'),
    doc: 'Between two general queries, in hundredths of a second, as all times of `mcast_` options.',
  }),
  mcast_query_response_interval: option({
    value: value.responseInterval,
    default: 1000,
    word: number('CENTISECONDS'),
    doc: 'Within which members answer a general query.',
  }),
  mcast_last_member_interval: option({
    value: value.responseInterval,
    default: 100,
    word: number('CENTISECONDS'),
    doc: 'Within which members answer a query for their group, after one has left it.',
  }),
  mcast_last_member_count: option({
    value: value.queryCount,
    default: 2,
    word: number(),
    doc: 'Queries for a group that one has left, before it ends.',
  }),
  mcast_membership_interval: option({
    value: value.mcastInterval,
    default: 26_000,
    word: number('CENTISECONDS'),
    doc: 'Without a report, after which a member is none.',
  }),
  mcast_querier_interval: option({
    value: value.mcastInterval,
    default: 25_500,
    word: number('CENTISECONDS'),
    doc: 'Without a query of another querier, after which the switch is the querier, and router ports are none.',
  }),
  mcast_startup_query_interval: option({
    value: value.queryInterval,
    default: 3125,
    word: number('CENTISECONDS'),
    doc: 'Between the first queries.',
  }),
  mcast_startup_query_count: option({
    value: value.queryCount,
    default: 2,
    word: number(),
    doc: 'First queries, which follow each other faster.',
  }),
};

/** The options of a VLAN of a bridge. */
export const bridgeVlanOptions = {
  ...snoopingOptions,
  msti: option({
    value: value.instance,
    default: 0,
    word: number('MSTI'),
    doc: 'The instance of the spanning tree that the VLAN belongs to, on a bridge with `mst_enabled`: the state of the instance at a port (`mst`) is that of the VLAN. 0: the common tree, whose state is that of the port.',
  }),
};

export const vlanGlobalOptions = {
  vid: required({ value: value.vids, doc: 'The VLAN, or a range of them.' }),
  ...bridgeVlanOptions,
};
