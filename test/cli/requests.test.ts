import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/cli/errors.js';
import { fdbChange, fdbDel, fdbFlush, fdbGet, fdbShow } from '../../src/cli/requests/fdb.js';
import { linkAdd, linkDel, linkSet } from '../../src/cli/requests/link.js';
import { mdbChange, mdbFlush, mdbGet, mdbShow } from '../../src/cli/requests/mdb.js';
import { neighChange, neighDel, neighShow } from '../../src/cli/requests/neigh.js';
import { vlanChange, vlanGlobal, vlanSetting } from '../../src/cli/requests/vlan.js';
import { LINK_TYPES } from '../../src/config/options/kinds.js';
import { OPTION_ROWS } from '../../src/config/options/table.js';

/** The same cases each time; others with OVERTAP_SEED. */
const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_121);

type Words = readonly string[];

/** Each grammar under the words that lead to it. */
const GRAMMARS: Readonly<Record<string, (words: Words) => unknown>> = {
  'link add': linkAdd,
  'link set': linkSet,
  'link del': linkDel,
  'fdb add': (words) => fdbChange('add', words),
  'fdb append': (words) => fdbChange('append', words),
  'fdb replace': (words) => fdbChange('replace', words),
  'fdb del': fdbDel,
  'fdb flush': fdbFlush,
  'fdb show': fdbShow,
  'fdb get': fdbGet,
  'vlan add': (words) => vlanChange('add', words),
  'vlan del': (words) => vlanChange('del', words),
  'vlan set': (words) => vlanSetting(words),
  'vlan global': (words) => vlanGlobal(words),
  'neigh add': (words) => neighChange('add', words),
  'neigh replace': (words) => neighChange('replace', words),
  'neigh del': neighDel,
  'neigh show': neighShow,
  'mdb add': (words) => mdbChange('add', words),
  'mdb replace': (words) => mdbChange('replace', words),
  'mdb get': mdbGet,
  'mdb flush': mdbFlush,
  'mdb del': (words) => mdbChange('del', words),
  'mdb show': mdbShow,
};

function read(line: string): unknown {
  const [noun, verb, ...words] = line.split(' ');
  const grammar = GRAMMARS[`${noun} ${verb}`];
  if (grammar === undefined) throw new Error(`no grammar for ${line}`);
  return grammar(words);
}

/** The message of the UsageError that a line ends with. */
function complaint(line: string): string {
  try {
    read(line);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error(`nothing was thrown for: ${line}`);
}

const ZERO = '00:00:00:00:00:00';
const MAC = '02:00:00:00:02:01';

describe('link', () => {
  const cases: [string, unknown][] = [
    ['link add br0 type bridge', { op: 'add', name: 'br0', type: 'bridge' }],
    ['link add name br0 type bridge', { op: 'add', name: 'br0', type: 'bridge' }],
    ['link add dev br0 type bridge', { op: 'add', name: 'br0', type: 'bridge' }],
    ['link add type bridge name br0', { op: 'add', name: 'br0', type: 'bridge' }],
    [
      'link add br0 type bridge vlan_filtering 1 ageing_time 60',
      { op: 'add', name: 'br0', type: 'bridge', options: { vlan_filtering: true, ageing_time: 60 } },
    ],
    [
      'link add tap1 mtu 1400 master br0 type tap netns ns2 ifname eth0',
      {
        op: 'add',
        name: 'tap1',
        type: 'tap',
        master: 'br0',
        options: { mtu: 1400, netns: 'ns2', ifname: 'eth0' },
      },
    ],
    [
      'link add tap1 type tap netns ns2 master br0',
      { op: 'add', name: 'tap1', type: 'tap', master: 'br0', options: { netns: 'ns2' } },
    ],
    [
      'link add vxlan0 type vxlan id 42 dev eth0 remote 192.0.2.2 local 192.0.2.1 dstport 4789',
      {
        op: 'add',
        name: 'vxlan0',
        type: 'vxlan',
        options: { id: 42, dev: 'eth0', remotes: ['192.0.2.2'], local: '192.0.2.1', dstport: 4789 },
      },
    ],
    ['link add tap1 nomaster type tap', { op: 'add', name: 'tap1', type: 'tap' }],
    ['link set tap1 master br0', { op: 'set', name: 'tap1', master: 'br0' }],
    ['link set dev tap1 nomaster', { op: 'set', name: 'tap1', master: null }],
    ['link set up dev tap1', { op: 'set', name: 'tap1', options: { up: true } }],
    ['link set mtu 1400 tap1 down', { op: 'set', name: 'tap1', options: { mtu: 1400, up: false } }],
    ['link set br0 type bridge ageing_time 60', { op: 'set', name: 'br0', options: { ageing_time: 60 } }],
    ['link set tap1 type bridge_slave learning off', { op: 'set', name: 'tap1', options: { learning: false } }],
    ['link set vxlan0 type vxlan ttl 9 dev eth1', { op: 'set', name: 'vxlan0', options: { ttl: 9, dev: 'eth1' } }],
    ['link set dev dev type tap default netns', { op: 'set', name: 'dev', options: { netns: null } }],
    ['link del tap1', { op: 'del', name: 'tap1' }],
    ['link del dev tap1 type tap', { op: 'del', name: 'tap1' }],
  ];
  it.each(cases)('%s', (line, request) => expect(read(line)).toEqual(request));

  const wrong: [string, string][] = [
    ['link add', `"link add" needs a name: link add NAME type ${LINK_TYPES.join('|')} [OPTIONS]`],
    ['link add br0', `"link add" needs a type: link add NAME type ${LINK_TYPES.join('|')} [OPTIONS]`],
    ['link add br0 type', `"link add": "type" needs a value: type ${LINK_TYPES.join('|')}`],
    ['link add br0 type bridgee', '"link add": there is no type "bridgee"; did you mean "bridge"?'],
    ['link add br0 type veth', `"link add": there is no type "veth"; there is ${LINK_TYPES.join(', ')}`],
    [
      'link add br0 type bridge_slave',
      `"link add": there is no type "bridge_slave"; there is ${LINK_TYPES.join(', ')}`,
    ],
    ['link add a type tap type tap', '"link add": "type" is one too many: it is "tap" already'],
    ['link add a dev b type tap', '"link add": "dev" is one too many: the link is "a" already'],
    ['link add name', '"link add": "name" needs a value: name NAME'],
    ['link add a type tap flod off', '"link add": there is no "flod" after "type tap"; did you mean "flood"?'],
    [
      'link set a addresses 192.0.2.1/24',
      '"link set": "addresses" is an option of a type; give it after "type bridge" or "type tap" or "type vxlan" or "type geneve" or "type tun" or "type gateway"',
    ],
    ['link set a mut 1400', '"link set": there is no "mut"; did you mean "mtu"?'],
    ['link set a type bridge ageing_time', '"link set": "ageing_time" needs a value: ageing_time SECONDS'],
    ['link set a master', '"link set": "master" needs a value: master BR'],
    ['link set a nomaster master b', '"link set": "master" is one too many: a port has one master'],
    ['link set up', '"link set" needs a name: link set NAME [up|down] [master BR|nomaster] [type TYPE OPTIONS]'],
    [
      'link set a',
      '"link set" says nothing to change: link set NAME [up|down] [master BR|nomaster] [type TYPE OPTIONS]',
    ],
    [
      'link set a type tap',
      '"link set" says nothing to change: link set NAME [up|down] [master BR|nomaster] [type TYPE OPTIONS]',
    ],
    [
      'link set a b',
      '"link set": there is no "b"; it takes [up|down] [mtu N|auto] [address MAC] [netns NS] [name] [dev] [type] [master] [nomaster] [default]',
    ],
    ['link del', '"link del" needs a name: link del NAME'],
    ['link del a up', '"link del" takes a name alone: link del NAME'],
  ];
  it.each(wrong)('refuses %s', (line, message) => expect(complaint(line)).toBe(message));
});

describe('fdb', () => {
  const cases: [string, unknown][] = [
    [
      `fdb append ${ZERO} dev vxlan0 dst 192.0.2.3 src_vni 2`,
      { op: 'append', mac: ZERO, dev: 'vxlan0', dst: '192.0.2.3', src_vni: 2 },
    ],
    [
      `fdb del ${MAC} dev vxlan0 dst 192.0.2.3 src_vni 10 vni 20`,
      { op: 'del', mac: MAC, dev: 'vxlan0', dst: '192.0.2.3', src_vni: 10, vni: 20 },
    ],
    [
      `fdb append ${ZERO} dev vxlan0 dst 2001:DB8::3 vni 2 port 8472`,
      { op: 'append', mac: ZERO, dev: 'vxlan0', dst: '2001:db8::3', vni: 2, port: 8472 },
    ],
    [
      `fdb append to ${ZERO} dev vxlan0 dst 192.0.2.3 via eth0`,
      { op: 'append', mac: ZERO, dev: 'vxlan0', dst: '192.0.2.3', via: 'eth0' },
    ],
    [`fdb del to ${MAC} dev tap1`, { op: 'del', mac: MAC, dev: 'tap1' }],
    [
      `fdb add ${MAC} dev tap1 vlan 10 master static sticky`,
      { op: 'add', mac: MAC, dev: 'tap1', vlan: 10, state: 'static', sticky: true },
    ],
    ['fdb add 02:AB:00:00:00:01 dev tap1', { op: 'add', mac: '02:ab:00:00:00:01', dev: 'tap1' }],
    [`fdb add dev tap1 local ${MAC} self`, { op: 'add', mac: MAC, dev: 'tap1', state: 'permanent' }],
    [`fdb add ${MAC} dev tap1 local permanent`, { op: 'add', mac: MAC, dev: 'tap1', state: 'permanent' }],
    [`fdb add ${MAC} dev tap1 temp`, { op: 'add', mac: MAC, dev: 'tap1', state: 'static' }],
    [
      `fdb replace ${MAC} dev vxlan0 dst 192.0.2.3 dynamic extern_learn vni 7 src_vni 7`,
      {
        op: 'replace',
        mac: MAC,
        dev: 'vxlan0',
        dst: '192.0.2.3',
        vni: 7,
        src_vni: 7,
        state: 'dynamic',
        extern_learn: true,
      },
    ],
    [`fdb del ${MAC} dev tap1 vlan 10 master static`, { op: 'del', mac: MAC, dev: 'tap1', vlan: 10 }],
    [
      `fdb del ${ZERO} dev vxlan0 dst 192.0.2.3 port 8472 vni 2`,
      { op: 'del', mac: ZERO, dev: 'vxlan0', dst: '192.0.2.3', port: 8472, vni: 2 },
    ],
    ['fdb flush', { op: 'flush' }],
    ['fdb flush dev tap1', { op: 'flush', dev: 'tap1' }],
    ['fdb flush br br0 vlan 10 static', { op: 'flush', br: 'br0', vlan: 10, state: ['static'] }],
    [
      'fdb flush brport vxlan0 vni 2 dst 192.0.2.3 state permanent dynamic',
      { op: 'flush', dev: 'vxlan0', vni: 2, dst: '192.0.2.3', state: ['dynamic', 'permanent'] },
    ],
    ['fdb flush state all', { op: 'flush', state: 'all' }],
    ['fdb flush state all static', { op: 'flush', state: 'all' }],
    ['fdb show', { query: '' }],
    ['fdb show state all', { query: '' }],
    ['fdb show static permanent', { query: '?state=static%2Cpermanent' }],
    [
      `fdb get ${MAC} br br0 dev tap1 vlan 10 vni 2 self`,
      { mac: MAC, br: 'br0', dev: 'tap1', query: '?mac=02%3A00%3A00%3A00%3A02%3A01&dev=tap1&br=br0&vlan=10&vni=2' },
    ],
  ];
  it.each(cases)('%s', (line, request) => expect(read(line)).toEqual(request));

  const wrong: [string, string][] = [
    ['fdb add', '"fdb add" needs a MAC address: fdb add MAC dev PORT [vlan VID] [dst ADDRESS]'],
    [`fdb add ${MAC}`, '"fdb add" needs a port: fdb add MAC dev PORT [vlan VID] [dst ADDRESS]'],
    [`fdb add ${MAC} dev`, '"fdb add": "dev" needs a value: dev PORT'],
    [`fdb add ${MAC} dev tap1 vlam 2`, '"fdb add": "vlam" is one too many; did you mean "vlan"?'],
    [`fdb add ${MAC} dev tap1 vlan 4095`, '"vlan" takes a number from 1 to 4094, not "4095"'],
    [`fdb add ${MAC} dev tap1 port 0`, '"port" takes a number from 1 to 65535, not "0"'],
    [`fdb add ${MAC} dev tap1 static dynamic`, 'an entry has one state, not static and dynamic'],
    [
      'fdb show dev vxlan0 vni 2 src_vni 3',
      '"vni" and "src_vni" mean the same here, but are 2 and 3; give one of them',
    ],
    [`fdb add ${MAC} dev vxlan0 src_vni 0`, '"src_vni" takes a number from 1 to 16777215, not "0"'],
    [`fdb add ${MAC} dev vxlan0 dst 192.0.2`, '"dst": expected an IPv4 or IPv6 address, found "192.0.2"'],
    [
      'fdb add 02:00:00:00:02 dev tap1',
      '"fdb add": expected a MAC address such as 02:00:00:00:00:01, found "02:00:00:00:02"; write six bytes in hexadecimal with colons',
    ],
    ['fdb get', '"fdb get" needs a MAC address: fdb get MAC [br BR] [dev PORT] [vlan VID] [vni VNI]'],
    ['fdb flush state stale', '"state" takes dynamic, static, permanent or all, not "stale"'],
    ['fdb flush deb tap1', '"fdb flush" does not know "deb"; did you mean "dev"?'],
  ];
  it.each(wrong)('refuses %s', (line, message) => expect(complaint(line)).toBe(message));
});

describe('vlan', () => {
  const cases: [string, unknown][] = [
    ['vlan add vid 2 dev tap1 pvid untagged', { op: 'add', dev: 'tap1', vid: 2, pvid: true, untagged: true }],
    ['vlan add dev tap1 vid 2-9 master', { op: 'add', dev: 'tap1', vid: 2, vidEnd: 9 }],
    ['vlan add dev tap1 vid 2-2 pvid', { op: 'add', dev: 'tap1', vid: 2, pvid: true }],
    ['vlan add dev br0 vid 2 self', { op: 'add', dev: 'br0', vid: 2 }],
    ['vlan add dev vxlan0 vid 2 tunnel_info id 20', { op: 'add', dev: 'vxlan0', vid: 2, tunid: 20 }],
    [
      'vlan add dev vxlan0 vid 100-199 tunnel_info id 10100-10199',
      { op: 'add', dev: 'vxlan0', vid: 100, vidEnd: 199, tunid: 10100, tunidEnd: 10199 },
    ],
    ['vlan set vid 2 dev v neigh_suppress off', { op: 'set', dev: 'v', vid: 2, neigh_suppress: false }],
    ['vlan set dev v vid 2-9 neigh_suppress on', { op: 'set', dev: 'v', vid: 2, vidEnd: 9, neigh_suppress: true }],
    ['vlan set dev v vid 2 isolated on', { op: 'set', dev: 'v', vid: 2, isolated: true }],
    ['vlan set dev v vid 2 state blocking', { op: 'set', dev: 'v', vid: 2, state: 'blocking' }],
    ['vlan set dev v vid 2-3 state 2', { op: 'set', dev: 'v', vid: 2, vidEnd: 3, state: 'learning' }],
    ['vlan set dev v vid 2 mcast_router 2', { op: 'set', dev: 'v', vid: 2, mcast_router: 2 }],
    ['vlan set dev v vid 2 mcast_max_groups 9', { op: 'set', dev: 'v', vid: 2, mcast_max_groups: 9 }],
    [
      'vlan global set vid 10-11 dev br0 mcast_querier 1 mcast_igmp_version 3',
      { op: 'global', dev: 'br0', vid: 10, vidEnd: 11, options: { mcast_querier: true, mcast_igmp_version: 3 } },
    ],
    ['vlan del dev tap1 vid 2', { op: 'del', dev: 'tap1', vid: 2 }],
    [
      'vlan del dev vxlan0 vid 2-3 tunnel_info id 20-21',
      { op: 'del', dev: 'vxlan0', vid: 2, vidEnd: 3, tunid: 20, tunidEnd: 21 },
    ],
  ];
  it.each(cases)('%s', (line, request) => expect(read(line)).toEqual(request));

  const EXAMPLE = 'dev PORT vid VID[-VID] [pvid] [untagged] [tunnel_info id VNI[-VNI]]';
  const wrong: [string, string][] = [
    ['vlan add vid 2', `"vlan add" needs a port, or a bridge for its host port: vlan add ${EXAMPLE}`],
    ['vlan del dev tap1', `"vlan del" needs a VLAN: vlan del ${EXAMPLE}`],
    ['vlan add dev tap1 vid 0', '"vid": expected a VLAN ID from 1 to 4094, found 0'],
    ['vlan add dev tap1 vid 9-2', '"vid": the range 9-2 is reversed; write 2-9'],
    ['vlan add dev tap1 vid 2-4095', '"vid": expected a VLAN ID from 1 to 4094, found 4095 in the range 2-4095'],
    ['vlan add dev tap1 vid 2-9 pvid', '"vlan add": a port has one PVID; give "pvid" with a single VLAN'],
    [
      'vlan add dev v vid 2-9 tunnel_info id 2',
      '"vlan add": 8 VLANs cannot be mapped to 1 VNIs; give ranges of one length',
    ],
    ['vlan add dev v vid 2 tunnel_info', '"vlan add" takes a VNI as two words and a number: tunnel_info id VNI'],
    ['vlan add dev v vid 2 id 2', '"vlan add" takes a VNI as two words and a number: tunnel_info id VNI'],
    [
      'vlan add dev v vid 2 tunnel_info id 16777216',
      '"tunnel_info id": expected a VNI from 1 to 16777215, found 16777216',
    ],
    ['vlan set dev v vid 2 neigh_suppress maybe', '"neigh_suppress" takes on or off, not "maybe"'],
    [
      'vlan set dev v vid 2',
      '"vlan set" needs what to set: vlan set dev PORT vid VID[-VID] [neigh_suppress on|off] [isolated on|off] [state STATE] [mcast_router 0|1|2] [mcast_max_groups N]',
    ],
    [
      'vlan set dev v vid 2 state 5',
      '"state" takes one of disabled, listening, learning, forwarding, blocking, not "5"',
    ],
    ['vlan set dev v vid 2 isolated', '"vlan set": "isolated" needs a value: isolated on|off'],
    ['vlan set dev v vid 2 mcast_router 3', '"mcast_router" takes a number from 0 to 2, not "3"'],
    ['vlan global set dev br0', '"vlan global" needs a VLAN: vlan global set dev BR vid VID[-VID] mcast_querier 1'],
    ['vlan global set vid 2', '"vlan global" needs a bridge: vlan global set dev BR vid VID[-VID] mcast_querier 1'],
    [
      'vlan global set dev br0 vid 2',
      '"vlan global set" needs what to set: vlan global set dev BR vid VID[-VID] mcast_querier 1',
    ],
    ['vlan global set dev br0 vid 2 mcast_querier 2', '"mcast_querier" takes a number from 0 to 1, not "2"'],
    [
      'vlan global set dev br0 vid 2 mcast_querrier 1',
      '"vlan global" does not know "mcast_querrier"; did you mean "mcast_querier"?',
    ],
    ['vlan add dev v vid 2 untaged', '"vlan add" does not know "untaged"; did you mean "untagged"?'],
  ];
  it.each(wrong)('refuses %s', (line, message) => expect(complaint(line)).toBe(message));
});

describe('neigh', () => {
  const lladdr = '02:00:00:00:00:03';
  const key = { dst: '198.18.0.3', dev: 'vxlan0' };
  const cases: [string, unknown][] = [
    [`neigh add 198.18.0.3 lladdr ${lladdr} dev vxlan0 vlan 10`, { op: 'add', ...key, lladdr, vlan: 10 }],
    [
      `neigh add to 2001:DB8:0::1 lladdr ${lladdr} dev vxlan0 src_vni 20 router nud noarp`,
      { op: 'add', dst: '2001:db8::1', dev: 'vxlan0', lladdr, vni: 20, router: true, state: 'noarp' },
    ],
    [
      `neigh replace 198.18.0.3 lladdr ${lladdr} dev vxlan0 permanent`,
      { op: 'replace', ...key, lladdr, state: 'permanent' },
    ],
    [`neigh del 198.18.0.3 dev vxlan0 vlan 10 lladdr ${lladdr}`, { op: 'del', ...key, vlan: 10 }],
    ['neigh show', {}],
    ['neigh show 198.18.0.3 dev vxlan0 vni 20 nud stale', { ...key, vni: 20, state: 'stale' }],
  ];
  it.each(cases)('%s', (line, request) => expect(read(line)).toEqual(request));

  const EXAMPLE = 'ADDRESS lladdr MAC dev PORT [vlan VID]';
  const wrong: [string, string][] = [
    ['neigh add 198.18.0.3 dev vxlan0', `"neigh add" needs a MAC address: neigh add ${EXAMPLE}`],
    [`neigh add lladdr ${lladdr} dev vxlan0`, `"neigh add" needs an address: neigh add ${EXAMPLE}`],
    [`neigh add 198.18.0.3 lladdr ${lladdr}`, `"neigh add" needs a port: neigh add ${EXAMPLE}`],
    ['neigh del 198.18.0.3', '"neigh del" needs a port: neigh del ADDRESS dev PORT [vlan VID]'],
    ['neigh del host dev v', '"neigh del": expected an IPv4 or IPv6 address, found "host"'],
    ['neigh show nud failed', '"nud" takes permanent, reachable, stale, noarp, not "failed"'],
    ['neigh show 198.18.0.3 dve v', '"neigh show": "dve" is one too many; did you mean "dev"?'],
  ];
  it.each(wrong)('refuses %s', (line, message) => expect(complaint(line)).toBe(message));
});

describe('mdb', () => {
  const key = { dev: 'br0', port: 'tap1', grp: '239.1.1.1' };
  const cases: [string, unknown][] = [
    ['mdb add dev br0 port tap1 grp 239.1.1.1', { op: 'add', ...key }],
    ['mdb add dev br0 port tap1 grp 239.1.1.1 permanent vid 10', { op: 'add', ...key, vid: 10 }],
    [
      'mdb add dev br0 port vxlan0 grp FF05::2 dst 192.0.2.2',
      { op: 'add', dev: 'br0', port: 'vxlan0', grp: 'ff05::2', dst: '192.0.2.2' },
    ],
    ['mdb del dev br0 port tap1 grp 239.1.1.1 vid 10 temp', { op: 'del', ...key, vid: 10 }],
    [
      'mdb add dev br0 port tap1 grp 239.1.1.1 temp filter_mode include source_list 192.0.2.1,192.0.2.2 proto bgp',
      {
        op: 'add',
        ...key,
        state: 'temp',
        filter_mode: 'include',
        source_list: ['192.0.2.1', '192.0.2.2'],
        proto: 'bgp',
      },
    ],
    ['mdb replace dev br0 port tap1 grp 239.1.1.1 src 192.0.2.1', { op: 'replace', ...key, src: '192.0.2.1' }],
    ['mdb add dev br0 port tap1 grp 01:02:03:04:05:0A', { op: 'add', ...key, grp: '01:02:03:04:05:0a' }],
    ['mdb get dev br0 grp 239.1.1.1 src 192.0.2.1 vid 9', { dev: 'br0', grp: '239.1.1.1', src: '192.0.2.1', vid: 9 }],
    [
      'mdb flush dev br0 port tap1 vid 9 nopermanent proto bgp',
      { op: 'flush', dev: 'br0', port: 'tap1', vid: 9, state: 'temp', proto: 'bgp' },
    ],
    ['mdb flush dev br0', { op: 'flush', dev: 'br0' }],
    ['mdb show dev br0 grp 239.1.1.1', { dev: 'br0', grp: '239.1.1.1' }],
  ];
  it.each(cases)('%s', (line, request) => expect(read(line)).toEqual(request));

  const EXAMPLE = 'mdb add dev BR port PORT grp GROUP [vid VID] [dst ADDRESS]';
  const wrong: [string, string][] = [
    ['mdb add port tap1 grp 239.1.1.1', `"mdb add" needs a bridge: ${EXAMPLE}`],
    ['mdb add dev br0 grp 239.1.1.1', `"mdb add" needs a port: ${EXAMPLE}`],
    ['mdb add dev br0 port tap1', `"mdb add" needs a group: ${EXAMPLE}`],
    ['mdb add dev br0 port tap1 grp all', '"grp": expected an IPv4 or IPv6 address, found "all"'],
    ['mdb add dev br0 port tap1 grp 239.1.1.1 filter_mode none', '"filter_mode" takes include or exclude, not "none"'],
    ['mdb show grop 239.1.1.1', '"mdb show" does not know "grop"; did you mean "grp"?'],
  ];
  it.each(wrong)('refuses %s', (line, message) => expect(complaint(line)).toBe(message));
});

describe('any words at all', () => {
  it('are a request, or refused in one line', () => {
    const option = Object.values(OPTION_ROWS).flatMap((rows) => rows.map((row) => row.word));
    const noun = 'dev name type master nomaster default vlan vid vni src_vni dst port to lladdr nud grp id tunnel_info';
    const value = `on off 1 -1 0x8 none tap bridge vxlan bridge_slave ${MAC} 192.0.2.1 2001:db8::1 2-9 __proto__ constructor`;
    const word = fc.oneof(
      fc.constantFrom(...option, ...noun.split(' '), 'broadcast', 'static', 'state', 'pvid', 'router'),
      fc.constantFrom(...value.split(' ')),
      fc.string({ maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(GRAMMARS)), fc.array(word, { maxLength: 12 }), (grammar, words) => {
        try {
          expect(JSON.parse(JSON.stringify(grammar(words)))).toEqual(grammar(words));
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
          expect((error as UsageError).message).toMatch(/^[^\n]+$/);
        }
      }),
      { numRuns: 5000, seed: SEED },
    );
  });
});
