/**
 * The words of `link add` and `link set`: for each key of the configuration its iproute2 word and the word's argument. The
 * command line parses with it and the switch prints commands with it, so a printed command always parses to the same change.
 *
 * Collects the words of all options by scope. Parsing and printing are in `words.ts`.
 */
import { bridgeLists, bridgeOptions, bridgePorts } from './bridge.js';
import { type LinkType, PORT_KINDS, PORT_TYPES, type PortType } from './kinds.js';
import { nicOptions } from './nic.js';
import type { Rows } from './option.js';
import { deviceOptions, portLists, portOptions, stateLists } from './port.js';
import { tapOptions } from './tap.js';
import { vxlanOptions } from './vxlan.js';
import { flag, type OptionKind, type Word } from './word.js';

/** Scopes of words: the types after `type`, and `link` for the words before it. */
export type OptionScope = 'link' | 'bridge_slave' | LinkType;

export interface OptionRow {
  /** Key of the configuration file. */
  readonly key: string;
  /** The word as printed; input also accepts `aliases`. */
  readonly word: string;
  readonly aliases?: readonly string[];
  readonly kind: OptionKind;
  /** The argument, as shown in help. */
  readonly value: string;
}

function rowOf(key: string, { word = key, aliases = [], kind, value }: Word): OptionRow {
  return { key, word, aliases, kind, value };
}

function wordsOf(rows: Rows): OptionRow[] {
  return Object.entries(rows).flatMap(([key, { words }]) => words.map((word) => rowOf(key, word)));
}

/** The words that follow `type`. */
function specific(rows: Rows): OptionRow[] {
  const isGeneric = (key: string): boolean => rows[key]?.words.some((word) => word.generic === true) === true;
  return wordsOf(rows).filter(({ key }) => !isGeneric(key));
}

/** In iproute2 these precede `type`; here they are accepted after it as well. */
const genericOptions = { ...deviceOptions, mtu: nicOptions.mtu, mac: nicOptions.mac };

const GENERIC = wordsOf(genericOptions);
const NIC = specific(nicOptions);
const SLAVE = wordsOf(portOptions);
const NETNS = wordsOf({ netns: tapOptions.netns });
/** In iproute2, vlan_tunnel is an option of the bridge port. */
const VLAN_TUNNEL = wordsOf({ vlan_tunnel: vxlanOptions.vlan_tunnel }).slice(0, 1);
/** The vxlan device's word and the bridge port's `learning on|off` are one option here. */
const LEARNING = rowOf('learning', flag());

function portRows(type: PortType): OptionRow[] {
  const { options, nic, tunnels, bare } = PORT_KINDS[type];
  const device = nic === 'none' || nic === 'attached' ? wordsOf(deviceOptions) : [...NIC, ...GENERIC];
  return [...wordsOf(options), ...(tunnels ? [LEARNING] : []), ...(bare === true ? [] : SLAVE), ...device];
}

const PORT_ROWS = Object.fromEntries(PORT_TYPES.map((type) => [type, portRows(type)])) as Record<PortType, OptionRow[]>;

/** The words of each scope; output uses the first row of a key. */
export const OPTION_ROWS: Readonly<Record<OptionScope, readonly OptionRow[]>> = {
  link: [...GENERIC, ...NETNS],
  bridge: [...specific(bridgeOptions), ...NIC, ...GENERIC],
  bridge_slave: [...SLAVE, ...VLAN_TUNNEL],
  ...PORT_ROWS,
};

/** Keys of links and ports with commands and listings of their own: `vlan`, `mst`, `fdb`, `neigh`, `mdb`, `link add`. */
export const KEYS_WITHOUT_WORDS: readonly string[] = [
  'type',
  ...Object.keys({ ...bridgeLists, ...bridgePorts, ...portLists, ...stateLists }),
  ...PORT_TYPES.flatMap((type) => Object.keys(PORT_KINDS[type].lists)),
];

/** Keys that iproute2 sets before `type`. */
export const GENERIC_KEYS: readonly string[] = Object.keys(genericOptions);
/** Keys that iproute2 sets with `type bridge_slave`. */
export const SLAVE_KEYS: readonly string[] = Object.keys(portOptions);
/** Keys of the NIC of a TAP or TUN port, or of a host port. */
export const NIC_KEYS = Object.keys(nicOptions) as (keyof typeof nicOptions)[];
