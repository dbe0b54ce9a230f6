/**
 * The words of `link add` and `link set`: which word of iproute2 stands for which key of the configuration, and what
 * follows it. The command line reads options with it, and the switch writes the commands that it carries out with it, so
 * that a printed command always reads back as the same change.
 *
 * Gathers the words of all options, by the place where they may stand. How words are read and written is in `words.ts`.
 */
import { bridgeLists, bridgeOptions, bridgePorts } from './bridge.js';
import { nicOptions } from './nic.js';
import type { Rows } from './option.js';
import { deviceOptions, portLists, portOptions } from './port.js';
import { tapOptions } from './tap.js';
import { vxlanLists, vxlanOptions } from './vxlan.js';
import { flag, type OptionKind, type Word } from './word.js';

/** What may follow `type`, and `link` for what stands before it. */
export type OptionScope = 'link' | 'bridge' | 'bridge_slave' | 'tap' | 'vxlan';

/** Kinds of link that can be added. */
export type LinkType = 'bridge' | 'tap' | 'vxlan';

export const LINK_TYPES: readonly LinkType[] = ['bridge', 'tap', 'vxlan'];

export interface OptionRow {
  /** Of the configuration file. */
  readonly key: string;
  /** As written; read it is taken, too, as one of `aliases`. */
  readonly word: string;
  readonly aliases?: readonly string[];
  readonly kind: OptionKind;
  /** What follows the word, as help shows it. */
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

/** Stand before `type` in iproute2; taken after it as well. */
const genericOptions = { ...deviceOptions, mtu: nicOptions.mtu, mac: nicOptions.mac };

const GENERIC = wordsOf(genericOptions);
const NIC = specific(nicOptions);
const SLAVE = wordsOf(portOptions);
const NETNS = wordsOf({ netns: tapOptions.netns });
/** iproute2 has vlan_tunnel with the bridge's port. */
const VLAN_TUNNEL = wordsOf({ vlan_tunnel: vxlanOptions.vlan_tunnel }).slice(0, 1);
/** The vxlan device's word and the port's `learning on|off` are one option here. */
const LEARNING = rowOf('learning', flag());

/** The words of each scope; the first row of a key is the one that is written. */
export const OPTION_ROWS: Readonly<Record<OptionScope, readonly OptionRow[]>> = {
  link: [...GENERIC, ...NETNS],
  bridge: [...specific(bridgeOptions), ...NIC, ...GENERIC],
  bridge_slave: [...SLAVE, ...VLAN_TUNNEL],
  tap: [...wordsOf(tapOptions), ...SLAVE, ...NIC, ...GENERIC],
  vxlan: [...wordsOf(vxlanOptions), LEARNING, ...SLAVE, ...NIC, ...GENERIC],
};

/** Keys of links and ports that have commands and listings of their own: `vlan`, `fdb`, `neigh`, `mdb`, `link add`. */
export const KEYS_WITHOUT_WORDS: readonly string[] = [
  'type',
  ...Object.keys({ ...bridgeLists, ...bridgePorts, ...portLists, ...vxlanLists }),
];

/** Keys that iproute2 sets before `type`. */
export const GENERIC_KEYS: readonly string[] = Object.keys(genericOptions);
/** Keys that iproute2 sets with `type bridge_slave`. */
export const SLAVE_KEYS: readonly string[] = Object.keys(portOptions);
/** Keys of the NIC of a TAP port or of a host port. */
export const NIC_KEYS = Object.keys(nicOptions) as (keyof typeof nicOptions)[];
