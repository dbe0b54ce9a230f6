/**
 * `arp_guard`: a guest claims its configured addresses only. Each attack is written out in bytes: claims in ARP and neighbour discovery,
 * plain, behind tags, in SNAP, behind extension headers, in fragments.
 */
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../src/wire/bytes.js';
import { A, B, C, D, frame } from '../support/frames.js';
import { type TapSpec, TestSwitch } from '../support/harness.js';
import { arpReply, arpRequest, advertisement, lladdrOf, solicitation } from '../support/neigh-frames.js';

/** One switch for attacks that leave nothing behind. */
const shared = (): TestSwitch => {
  one ??= guarded({ addresses: OWN });
  return one;
};
let one: TestSwitch | undefined;

/** MAC 02:00:00:00:00:0a of the guest behind t1, to all; addresses 10.0.0.1 and fe80::a are its own. */
const LINK = 'ffffffffffff 02000000000a';
const LINK6 = '3333ff000002 02000000000a';
const OWN = ['10.0.0.1', 'fe80::a'];

function guarded(guard: TapSpec['guard'] & object, further: Partial<TapSpec> = {}): TestSwitch {
  return new TestSwitch({
    br0: {
      ports: { t1: { type: 'tap', guard, ...further }, t2: { type: 'tap' }, t3: { type: 'tap', neighSuppress: true } },
    },
  });
}

/** @returns true when both other guests got the frame; false when it was dropped as `reason` and nobody got anything */
function passes(sw: TestSwitch, hex: string, reason = 'arp_guard'): boolean {
  const { to, drops } = sw.send('t1', fromHex(hex.replaceAll(' ', '')));
  if (to.length > 0) {
    expect({ to, drops }).toEqual({ to: ['t2', 't3'], drops: [] });
    return true;
  }
  expect(drops).toEqual([`t1 ${reason}`]);
  return false;
}

const sender = (address: string): string => `02000000000a ${address}`;
const ARP_REQUEST = '0001 0800 0604 0001';
const ARP_REPLY = '0001 0800 0604 0002';
const GATEWAY = '0a000009';
const MINE = '0a000001';

/** ARP of the guest, behind `before`: a request, a reply, an announcement, probes. */
const claims = (before: string, type = '0806'): [string, string, boolean][] => [
  ['asks from its own address', `${before} ${type} ${ARP_REQUEST} ${sender(MINE)} 000000000000 ${GATEWAY}`, true],
  ['answers for its own address', `${before} ${type} ${ARP_REPLY} ${sender(MINE)} 02000000000b ${GATEWAY}`, true],
  ['announces its own address', `${before} ${type} ${ARP_REQUEST} ${sender(MINE)} 000000000000 ${MINE}`, true],
  ['probes its own address', `${before} ${type} ${ARP_REQUEST} ${sender('00000000')} 000000000000 ${MINE}`, true],
  ['asks from the gateway', `${before} ${type} ${ARP_REQUEST} ${sender(GATEWAY)} 000000000000 ${MINE}`, false],
  ['answers for the gateway', `${before} ${type} ${ARP_REPLY} ${sender(GATEWAY)} 02000000000b ${MINE}`, false],
  ['announces the gateway', `${before} ${type} ${ARP_REQUEST} ${sender(GATEWAY)} 000000000000 ${GATEWAY}`, false],
  [
    'announces the gateway in a reply',
    `${before} ${type} ${ARP_REPLY} ${sender(GATEWAY)} ffffffffffff ${GATEWAY}`,
    false,
  ],
  ['probes the gateway', `${before} ${type} ${ARP_REQUEST} ${sender('00000000')} 000000000000 ${GATEWAY}`, false],
  [
    'lends its address to another MAC',
    `${before} ${type} ${ARP_REPLY} 02000000000b ${MINE} 02000000000c ${GATEWAY}`,
    false,
  ],
];

describe('a guest whose address is 10.0.0.1', () => {
  it.each(claims(LINK))('%s', (_, hex, allowed) => {
    expect(passes(shared(), hex)).toBe(allowed);
  });

  it.each([
    ['an 802.1Q tag', `${LINK} 8100 0064`],
    ['a priority tag', `${LINK} 8100 e000`],
    ['an 802.1ad tag', `${LINK} 88a8 0064`],
    ['two tags', `${LINK} 88a8 0064 8100 00c8`],
    ['two 802.1Q tags', `${LINK} 8100 0064 8100 00c8`],
    ['an old tag of 9100', `${LINK} 9100 0064 8100 00c8`],
    ['seven tags', LINK + ' 8100 0001'.repeat(7)],
    ['SNAP (RFC 1042)', `${LINK} 0024 aaaa 0300 0000`],
    ['SNAP of a bridge tunnel', `${LINK} 0024 aaaa 0300 00f8`],
    ['a tag before SNAP', `${LINK} 8100 0064 0024 aaaa 0300 0000`],
    ['SNAP before a tag', `${LINK} 0028 aaaa 0300 0000 8100 0064`],
  ])('claims nothing else behind %s', (_, before) => {
    const sw = guarded({ addresses: OWN });
    for (const [what, hex, allowed] of claims(before)) {
      expect([what, passes(sw, hex)]).toEqual([what, allowed]);
    }
  });

  it.each([
    [
      'behind more tags than any host takes',
      `${LINK}${' 8100 0001'.repeat(9)} 0806 ${ARP_REQUEST} ${sender(MINE)} 000000000000 ${GATEWAY}`,
    ],
    ['cut short', `${LINK} 0806 ${ARP_REQUEST} 0200 0000`],
    [
      'of hardware type 6, which Linux takes',
      `${LINK} 0806 0006 0800 0604 0002 ${sender(MINE)} 02000000000b ${GATEWAY}`,
    ],
    ['with addresses of eight bytes', `${LINK} 0806 0001 0800 0608 0002 ${sender(MINE)} 00000000 ${'00'.repeat(18)}`],
    [
      'of an operation that nobody knows, for the gateway',
      `${LINK} 0806 0001 0800 0604 0009 ${sender(GATEWAY)} 000000000000 ${MINE}`,
    ],
  ])('sends no ARP %s', (_, hex) => {
    expect(passes(shared(), hex)).toBe(false);
  });

  it('sends other protocols as before', () => {
    for (const type of [
      '0800 45000014000000004000000',
      '88b5 00000000000000',
      '0024 424203 0000000000',
      '8100 0001 88b5 0000',
    ]) {
      const hex = `${LINK} ${type}`.replaceAll(' ', '');
      expect(passes(guarded({ addresses: OWN }), hex.length % 2 === 0 ? hex : `${hex}0`)).toBe(true);
    }
  });
});

// ---- Neighbour discovery

const OWN6 = 'fe80000000000000000000000000000a';
const OTHER6 = 'fe800000000000000000000000000002';
const GROUP = 'ff0200000000000000000001ff000002';
const NONE6 = '0'.repeat(32);
const SOURCE_LINK = '0101 02000000000a';
const TARGET_LINK = '0201 02000000000a';

/** An IPv6 packet of ICMPv6; checksums are not looked at. `chain` precedes the message, its first header is `next`. */
function nd(source: string, body: string, chain = '', next = '3a'): string {
  const bytes = (chain + body).replaceAll(' ', '').length / 2;
  return `${LINK6} 86dd 60000000 ${bytes.toString(16).padStart(4, '0')} ${next} ff ${source} ${GROUP} ${chain} ${body}`;
}

const ns = (target: string, options = ''): string => `87 00 0000 00000000 ${target} ${options}`;
const na = (target: string, options = TARGET_LINK): string => `88 00 0000 20000000 ${target} ${options}`;

const MESSAGES: [string, string, string, boolean][] = [
  ['solicits from its own address', OWN6, ns(OTHER6, SOURCE_LINK), true],
  ['advertises its own address', OWN6, na(OWN6), true],
  ['probes its own address', NONE6, ns(OWN6), true],
  ['solicits routers without an address', NONE6, '85 00 0000 00000000', true],
  ['solicits routers from its own address', OWN6, `85 00 0000 00000000 ${SOURCE_LINK}`, true],
  ["solicits from another's address", OTHER6, ns(OWN6, SOURCE_LINK), false],
  ["advertises another's address", OWN6, na(OTHER6), false],
  ["advertises another's address from it", OTHER6, na(OTHER6), false],
  ["probes another's address", NONE6, ns(OTHER6), false],
  ["solicits routers from another's address", OTHER6, `85 00 0000 00000000 ${SOURCE_LINK}`, false],
  ["is a router at another's address", OTHER6, `86 00 0000 40 00 0708 00000000 00000000 ${SOURCE_LINK}`, false],
  ["redirects another's address to itself", OWN6, `89 00 0000 00000000 ${OTHER6} ${OTHER6} ${TARGET_LINK}`, false],
  ['advertises its own address for another MAC', OWN6, na(OWN6, '0201 02000000000b'), false],
  ['solicits from its own address for another MAC', OWN6, ns(OTHER6, '0101 02000000000b'), false],
  ['hides the MAC behind another option', OWN6, na(OWN6, `0e01 000000000000 0201 02000000000b`), false],
  ['has a second link option', OWN6, na(OWN6, `${TARGET_LINK} 0201 02000000000b`), false],
  ['has an option of length 0', OWN6, na(OWN6, '0200 02000000000a'), false],
  ['has an option beyond the end', OWN6, na(OWN6, '0202 02000000000a'), false],
  ['is cut short', OWN6, '88 00 0000 20000000 fe80', false],
];

describe('a guest whose address is fe80::a', () => {
  it.each(MESSAGES)('%s', (_, source, body, allowed) => {
    expect(passes(shared(), nd(source, body))).toBe(allowed);
  });

  it.each([
    ['hop-by-hop options', '3a00 0104 00000000', '00'],
    ['destination options', '3a00 0104 00000000', '3c'],
    ['a routing header', '3a00 0000 00000000', '2b'],
    ['an authentication header', '3a01 0000 00000001 00000001', '33'],
    ['an atomic fragment', '3a00 0000 00000001', '2c'],
    ['seven headers', `${'3c00 0104 00000000'.repeat(6)} 3a00 0104 00000000`, '3c'],
  ])('claims nothing else behind %s', (_, chain, next) => {
    const sw = guarded({ addresses: OWN });
    for (const [what, source, body, allowed] of MESSAGES) {
      expect([what, passes(sw, nd(source, body, chain, next))]).toEqual([what, allowed]);
    }
  });

  it.each([
    ['the message in two fragments', na(OWN6), '3a00 0001 00000001', '2c'],
    ['the message in two fragments behind an atomic one', na(OWN6), '2c00 0000 00000002 3a00 0001 00000001', '2c'],
    ['extension headers that never end', na(OTHER6), `${'3c00 0104 00000000'.repeat(20)} 3a00 0104 00000000`, '3c'],
    ['a header that leads beyond the packet', na(OTHER6), '3a20 0104 00000000', '00'],
    ['options inside of the first fragment', na(OWN6), '3c00 0001 00000001 3a00 0104 00000000', '2c'],
  ])('sends no %s', (_, body, chain, next) => {
    expect(passes(shared(), nd(OWN6, body, chain, next))).toBe(false);
  });

  it('sends later fragments, echo requests and packets without a next header', () => {
    const sw = guarded({ addresses: OWN });
    expect(passes(sw, nd(OTHER6, na(OTHER6), '3a00 0008 00000001', '2c'))).toBe(true);
    expect(passes(sw, nd(OTHER6, '80 00 0000 00010001'))).toBe(true);
    expect(passes(sw, nd(OTHER6, '', '', '3b'))).toBe(true);
  });
});

describe('what a guard holds', () => {
  it('prefixes, and an address of either family beside them', () => {
    const sw = guarded({ addresses: ['10.0.0.0/30', '2001:db8:1:2::/64', '192.0.2.7', '::/0'] });
    for (const address of ['10.0.0.0', '10.0.0.3', '192.0.2.7'])
      expect(sw.send('t1', arpRequest(A, address, '10.0.0.9')).drops).toEqual([]);
    for (const address of ['10.0.0.4', '192.0.2.6', '9.255.255.255'])
      expect(sw.send('t1', arpRequest(A, address, '10.0.0.9')).drops).toEqual(['t1 arp_guard']);
    expect(sw.send('t1', advertisement(A, 'fd00::1')).drops).toEqual([]);
    const narrow = guarded({ addresses: ['2001:db8:1:2::/63'] });
    for (const address of ['2001:db8:1:2::1', '2001:db8:1:3:ffff::'])
      expect(narrow.send('t1', advertisement(A, address)).drops).toEqual([]);
    for (const address of ['2001:db8:1:4::1', '2001:db8:1:1:ffff::'])
      expect(narrow.send('t1', advertisement(A, address)).drops).toEqual(['t1 arp_guard']);
  });

  it('other MACs for its addresses, where allowed_macs has them', () => {
    const sw = guarded({ addresses: OWN, macs: [A, C] });
    const lent = (mac: string): Uint8Array =>
      frame({ ...FIELDS, payload: arpReply(mac, '10.0.0.1', B, '10.0.0.9').slice(14) });
    expect(sw.send('t1', lent(C)).drops).toEqual([]);
    expect(sw.send('t1', lent(B)).drops).toEqual(['t1 arp_guard']);
  });

  it('nothing of what other ports send', () => {
    const sw = guarded({ addresses: OWN });
    expect(sw.send('t2', arpRequest(B, '10.0.0.1', '10.0.0.9')).drops).toEqual([]);
  });
});

const FIELDS = { source: A, destination: 'ff:ff:ff:ff:ff:ff', etherType: 0x0806 };

describe('a refused claim', () => {
  it('is not learned, and changes no binding', () => {
    const sw = guarded({ addresses: OWN });
    sw.send('t2', arpRequest(B, '10.0.0.9', '10.0.0.1'));
    expect(sw.send('t1', arpRequest(A, '10.0.0.9', '10.0.0.1')).drops).toEqual(['t1 arp_guard']);
    expect(lladdrOf(sw, '10.0.0.9')).toBe(B);
    // A is unknown: a frame to it is flooded.
    expect(sw.send('t2', frame({ source: B, destination: A })).to).toEqual(['t1', 't3']);
  });

  it('is refused within a run of frames with equal headers, each by itself', () => {
    const sw = guarded({ addresses: OWN });
    sw.send('t2', frame({ source: B, destination: A }));
    const mine = arpReply(A, '10.0.0.1', B, '10.0.0.9');
    const theirs = arpReply(A, '10.0.0.9', B, '10.0.0.1');
    for (const one of [mine, theirs, mine, theirs, theirs, mine]) sw.inject('t1', one);
    expect(sw.turn()).toMatchObject({ to: ['t2', 't2', 't2'], drops: Array(3).fill('t1 arp_guard') });
    const packet = (body: string): Uint8Array =>
      fromHex(nd(OWN6, body).replace('3333ff000002', '02000000000b').replaceAll(' ', ''));
    for (const body of ['80 00 0000 00010001', na(OTHER6), '80 00 0000 00010002', na(OWN6), na(OTHER6)])
      sw.inject('t1', packet(body));
    expect(sw.turn()).toMatchObject({ to: ['t2', 't2', 't2'], drops: Array(2).fill('t1 arp_guard') });
  });

  it('is refused at a cross-connect too, and from a remote', () => {
    const cable = new TestSwitch({
      br0: {
        ports: { t1: { type: 'tap', xconnect: true, guard: { addresses: OWN } }, t2: { type: 'tap', xconnect: true } },
      },
    });
    expect(cable.send('t1', arpRequest(A, '10.0.0.9', '10.0.0.1')).drops).toEqual(['t1 arp_guard']);
    expect(cable.send('t1', arpRequest(A, '10.0.0.1', '10.0.0.9')).to).toEqual(['t2']);
    const far = new TestSwitch({
      br0: {
        ports: {
          v1: { type: 'vxlan', vni: 7, remotes: ['192.0.2.2'], guard: { addresses: OWN } },
          t2: { type: 'tap' },
        },
      },
    });
    expect(far.tunnel('v1', '192.0.2.2', 7, arpRequest(A, '10.0.0.9', '10.0.0.1')).drops).toEqual(['v1 arp_guard']);
    expect(far.tunnel('v1', '192.0.2.2', 7, arpRequest(A, '10.0.0.1', '10.0.0.9')).to).toEqual(['t2']);
    expect(far.tunnel('v1', '192.0.2.2', 7, solicitation(A, '::', 'fe80::b')).drops).toEqual(['v1 arp_guard']);
  });

  it('ends with its guard, which stays while other options change', () => {
    const sw = guarded({ addresses: OWN });
    const theirs = arpRequest(A, '10.0.0.9', '10.0.0.1');
    sw.apply(sw.topology.setPort('t1', 'br0', { type: 'tap', guard: { addresses: OWN }, isolated: true }).slice(0, 1));
    expect(sw.send('t1', theirs).drops).toEqual(['t1 arp_guard']);
    sw.apply(sw.topology.setPort('t1', 'br0', { type: 'tap' }));
    expect(sw.send('t1', theirs).to).toEqual(['t2', 't3']);
    sw.apply(sw.topology.setPort('t1', 'br0', { type: 'tap', guard: { addresses: OWN } }));
    sw.apply(sw.topology.removePort('t1'));
    sw.apply(sw.topology.addPort('br0', 't1', { type: 'tap' }));
    expect(sw.send('t1', theirs).to).toEqual(['t2', 't3']);
  });
});

describe('allowed_macs', () => {
  it('lets frames of these MACs in only, whatever their order', () => {
    const macs = [
      C,
      '02:00:00:00:00:00',
      'fe:ff:ff:ff:ff:ff',
      '02:00:80:00:00:00',
      A,
      '00:00:00:00:00:01',
      '02:00:7f:ff:ff:ff',
    ];
    const sw = guarded({ macs });
    for (const source of macs) expect(sw.send('t1', frame({ source })).drops).toEqual([]);
    for (const source of [B, '00:00:00:00:00:02', '02:01:00:00:00:0a', 'fe:ff:ff:ff:ff:fe', '02:00:80:00:00:01'])
      expect(sw.send('t1', frame({ source, destination: '02:00:00:00:00:99' })).drops).toEqual(['t1 mac_not_allowed']);
    expect(sw.send('t2', frame({ source: D, destination: B })).to).toEqual(['t1', 't3']);
  });
});
