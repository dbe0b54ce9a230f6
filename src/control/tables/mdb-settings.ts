/**
 * Settings of snooping in one VLAN, or in a bridge: those of the kernel's `struct net_bridge_mcast`, in milliseconds. From the options
 * of a bridge, whose times are in hundredths of a second as in iproute2.
 */
import type { snoopingOptions } from '../../config/options/mcast.js';
import type { BridgeConfig } from '../../config/types.js';
import { parseMac } from '../../wire/ethernet.js';
import type { GroupAddress } from '../../wire/group-message.js';
import { IPV4_MAPPED, parseAddress } from '../../wire/ip-address.js';
import type { Families } from './mdb-state.js';

/** What the switch's own queries carry in the name of a bridge. */
export interface QuerierIdentity {
  mac: string;
  /** Four words; 0.0.0.0 without an address of the bridge (RFC 4541 section 2.1.1). */
  addresses: Families<GroupAddress>;
}

export interface SnoopSettings {
  snooping: boolean;
  querier: boolean;
  igmpVersion: 2 | 3;
  mldVersion: 1 | 2;
  queryInterval: number;
  queryResponseInterval: number;
  lastMemberInterval: number;
  lastMemberCount: number;
  membershipInterval: number;
  querierInterval: number;
  startupQueryInterval: number;
  startupQueryCount: number;
}

/**
 * The identity of a bridge: the MAC and address of its host port, if it has them. MLD needs a link-local address (RFC 3810 section 5.1.14):
 * it is made of the MAC (RFC 4291 appendix A).
 * @param ownMac of a bridge without a configured MAC
 */
export function querierIdentity(config: BridgeConfig, ownMac: string): QuerierIdentity {
  const mac = config.mac ?? ownMac;
  const { high, low } = parseMac(mac) ?? { high: 0, low: 0 };
  const first = ((high ^ 0x0200) << 16) | ((low >>> 16) & 0xff00) | 0xff;
  const linkLocal: GroupAddress = [0xfe800000 | 0, 0, first, 0xfe000000 | (low & 0xffffff)];
  const addresses = config.mcast_query_use_ifaddr && config.host_port ? config.addresses : [];
  const own = addresses.map(({ address }) => parseAddress(address)).find((found) => found?.family === 4);
  return { mac, addresses: { 4: own?.words ?? [0, 0, IPV4_MAPPED, 0], 6: linkLocal } };
}

type SnoopOptions = Pick<BridgeConfig, keyof typeof snoopingOptions>;

/** Milliseconds of a hundredth of a second. */
const CENTISECOND = 10;

export function snoopSettings(options: SnoopOptions): SnoopSettings {
  return {
    snooping: options.mcast_snooping,
    querier: options.mcast_querier,
    igmpVersion: options.mcast_igmp_version,
    mldVersion: options.mcast_mld_version,
    queryInterval: options.mcast_query_interval * CENTISECOND,
    queryResponseInterval: options.mcast_query_response_interval * CENTISECOND,
    lastMemberInterval: options.mcast_last_member_interval * CENTISECOND,
    lastMemberCount: options.mcast_last_member_count,
    membershipInterval: options.mcast_membership_interval * CENTISECOND,
    querierInterval: options.mcast_querier_interval * CENTISECOND,
    startupQueryInterval: options.mcast_startup_query_interval * CENTISECOND,
    startupQueryCount: options.mcast_startup_query_count,
  };
}

/** Time after which a source or a group of IGMPv3 or MLDv2 without a report ends, with a robustness of 2 (RFC 3376 section 8.4). */
export function groupMembershipInterval({ queryInterval, queryResponseInterval }: SnoopSettings): number {
  return 2 * queryInterval + queryResponseInterval;
}

/** Time that members have to answer the questions after a leave (RFC 3376 section 8.10). */
export function lastMemberTime({ lastMemberInterval, lastMemberCount }: SnoopSettings): number {
  return lastMemberInterval * lastMemberCount;
}

/** Whether memberships of the family have sources. */
export function filtersSources({ igmpVersion, mldVersion }: SnoopSettings, family: 4 | 6): boolean {
  return family === 4 ? igmpVersion === 3 : mldVersion === 2;
}
