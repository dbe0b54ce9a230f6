/**
 * The words of `link add` and `link set`: which word of iproute2 stands for which key of the configuration, and what
 * follows it. The command line reads options with it, and the switch writes the commands that it carries out with it, so
 * that a printed command always reads back as the same change.
 *
 * Owns the table alone. Whether a value may be is for the rules of the file (`schema.ts`, `../rules/`); how words are
 * read and written is in `words.ts`.
 */

/** What may follow `type`, and `link` for what stands before it. */
export type OptionScope = 'link' | 'bridge' | 'bridge_slave' | 'tap' | 'vxlan';

/** Kinds of link that can be added. */
export type LinkType = 'bridge' | 'tap' | 'vxlan';

export const LINK_TYPES: readonly LinkType[] = ['bridge', 'tap', 'vxlan'];

export type OptionKind =
  /** WORD on, WORD off. */
  | { readonly form: 'switch' }
  /** WORD 1, WORD 0: the same, in the bridge's own style. */
  | { readonly form: 'bit' }
  /** WORD or noWORD; WORD on and WORD off too. */
  | { readonly form: 'flag' }
  /** WORD N, or one of some words that stand for a value of their own. `hex`: written as 0x8. */
  | { readonly form: 'number'; readonly hex?: true; readonly names?: Readonly<Record<string, number | string>> }
  /** WORD TEXT. */
  | { readonly form: 'text' }
  /** WORD ONE-OF-THESE. */
  | { readonly form: 'choice'; readonly choices: readonly string[] }
  /** WORD A or WORD A,B or WORD more than once; WORD none: the empty list. */
  | { readonly form: 'list' }
  /** WORD LOW HIGH. */
  | { readonly form: 'pair' }
  /** WORD followed by any of these, each with a number; WORD off: none of them. */
  | { readonly form: 'numbers'; readonly parts: readonly string[] }
  /** Two words of their own: the first means true, the second false. */
  | { readonly form: 'state'; readonly no: string };

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

const SWITCH: OptionKind = { form: 'switch' };
const BIT: OptionKind = { form: 'bit' };
const FLAG: OptionKind = { form: 'flag' };
const NUMBER: OptionKind = { form: 'number' };
const TEXT: OptionKind = { form: 'text' };
const LIST: OptionKind = { form: 'list' };

const onOff = (key: string, word = key, ...aliases: string[]): OptionRow => ({
  key,
  word,
  aliases,
  kind: SWITCH,
  value: 'on|off',
});
const bit = (key: string): OptionRow => ({ key, word: key, kind: BIT, value: '0|1' });
const flag = (key: string, word = key): OptionRow => ({ key, word, kind: FLAG, value: '' });
const number = (key: string, value = 'N'): OptionRow => ({ key, word: key, kind: NUMBER, value });
const text = (key: string, value: string, word = key, ...aliases: string[]): OptionRow => ({
  key,
  word,
  aliases,
  kind: TEXT,
  value,
});
const list = (key: string, value: string, ...aliases: string[]): OptionRow => ({
  key,
  word: key,
  aliases,
  kind: LIST,
  value,
});
const choice = (key: string, ...choices: string[]): OptionRow => ({
  key,
  word: key,
  kind: { form: 'choice', choices },
  value: choices.join('|'),
});

/** Stand before `type` in iproute2; taken after it as well. */
const GENERIC: readonly OptionRow[] = [
  { key: 'up', word: 'up', kind: { form: 'state', no: 'down' }, value: '' },
  { key: 'mtu', word: 'mtu', kind: { form: 'number', names: { auto: 'auto' } }, value: 'N|auto' },
  text('mac', 'MAC', 'address', 'mac'),
];

/** What is put on the NIC of a TAP or of a host port. */
const NIC: readonly OptionRow[] = [list('addresses', 'A/P[,A/P]', 'addr'), onOff('persist')];

const HOST_PORT = onOff('host_port');
const NETNS = text('netns', 'NS');

const BRIDGE: readonly OptionRow[] = [
  bit('vlan_filtering'),
  number('vlan_default_pvid', 'VID'),
  number('ageing_time', 'SECONDS'),
  number('fdb_max_learned'),
  { key: 'group_fwd_mask', word: 'group_fwd_mask', kind: { form: 'number', hex: true }, value: 'MASK' },
  bit('mcast_snooping'),
  number('mac_move_limit'),
  HOST_PORT,
];

/** Of every port, as the bridge sees it. */
const SLAVE: readonly OptionRow[] = [
  onOff('learning'),
  onOff('flood'),
  onOff('mcast_flood'),
  onOff('bcast_flood'),
  onOff('isolated'),
  onOff('locked'),
  onOff('neigh_suppress'),
  onOff('neigh_vlan_suppress'),
  number('mcast_router', '0|1|2'),
  onOff('mcast_fast_leave', 'fastleave', 'mcast_fast_leave'),
  {
    key: 'storm_limit',
    word: 'storm_limit',
    kind: { form: 'numbers', parts: ['broadcast', 'unknown_unicast', 'multicast'] },
    value: 'off|[broadcast N] [unknown_unicast N] [multicast N]',
  },
];

const TAP: readonly OptionRow[] = [NETNS, text('ifname', 'NAME')];

/** iproute2 has vlan_tunnel with the bridge's port; `external` is the vxlan device's half of it. */
const VLAN_TUNNEL = onOff('vlan_tunnel');

const VXLAN: readonly OptionRow[] = [
  number('id', 'VNI'),
  VLAN_TUNNEL,
  flag('vlan_tunnel', 'external'),
  text('local', 'A'),
  text('dev', 'DEV'),
  text('group', 'G'),
  list('remotes', 'A[,A]', 'remote'),
  list('peers', 'A[,A]'),
  number('dstport', 'PORT'),
  { key: 'srcport', word: 'srcport', kind: { form: 'pair' }, value: 'LOW HIGH' },
  {
    key: 'ttl',
    word: 'ttl',
    // 0 is the kernel's number for the route's TTL.
    kind: { form: 'number', names: { auto: 0, inherit: 'inherit' } },
    value: 'N|auto|inherit',
  },
  { key: 'tos', word: 'tos', kind: { form: 'number', names: { inherit: 'inherit' } }, value: 'N|inherit' },
  choice('df', 'unset', 'set', 'inherit'),
  flag('udpcsum'),
  // The vxlan device's word and the port's `learning on|off` are one option here.
  flag('learning'),
  number('ageing', 'SECONDS'),
  number('maxaddress'),
  flag('proxy'),
  flag('rsc'),
  flag('l2miss'),
  flag('l3miss'),
  choice('accept_vteps', 'known', 'any'),
  choice('reserved_bits', 'ignore', 'drop'),
  choice('inner_vlan', 'drop', 'keep'),
  HOST_PORT,
];

/** The words of each scope; the first row of a key is the one that is written. */
export const OPTION_ROWS: Readonly<Record<OptionScope, readonly OptionRow[]>> = {
  link: [...GENERIC, NETNS],
  bridge: [...BRIDGE, ...NIC, ...GENERIC],
  bridge_slave: [...SLAVE, VLAN_TUNNEL],
  tap: [...TAP, ...SLAVE, ...NIC, ...GENERIC],
  vxlan: [...VXLAN, ...SLAVE, ...NIC, ...GENERIC],
};

/** Keys of links and ports that have commands of their own: `vlan`, `fdb`, `neigh`, `mdb`, `link add`. */
export const KEYS_WITHOUT_WORDS: readonly string[] = ['type', 'vlans', 'fdb', 'ports', 'neigh', 'mdb'];

/** Keys that iproute2 sets before `type`. */
export const GENERIC_KEYS: readonly string[] = GENERIC.map((row) => row.key);
/** Keys that iproute2 sets with `type bridge_slave`. */
export const SLAVE_KEYS: readonly string[] = SLAVE.map((row) => row.key);
