/** Underlay to overlay: rules 1 to 6, 9 and 10 for received datagrams. Datagrams are literal bytes. */
import { describe, expect, it } from 'vitest';
import { fidOf } from '../../../src/dataplane/state/fid.js';
import { concatBytes, fromHex } from '../../../src/wire/bytes.js';
import { A, B, BROADCAST, frame, packet } from '../support/frames.js';
import { TestSwitch, type VxlanSpec } from '../support/harness.js';

const PEER = '192.0.2.2';
/** To 02:00:00:00:00:0b from 02:00:00:00:00:0a, EtherType 0x88b5, four bytes. */
const INNER = '02000000000b 02000000000a 88b5 01020304';
/** I flag, VNI 42. */
const HEADER = '08000000 00002a00';

function oneVni(options: Partial<VxlanSpec> = {}): TestSwitch {
  return new TestSwitch({
    br0: { ports: { tap1: { type: 'tap' }, vx: { type: 'vxlan', vni: 42, remotes: [PEER], ...options } } },
  });
}

function tunnelled(options: Partial<VxlanSpec> = {}): TestSwitch {
  return new TestSwitch({
    br0: {
      filtering: true,
      ports: {
        tap2: { type: 'tap', vlans: ['2 pvid untagged'] },
        tap3: { type: 'tap', vlans: ['3 pvid untagged'] },
        trunk: { type: 'tap', vlans: ['2', '3'] },
        vx: { type: 'vxlan', vlans: ['2', '3'], tunnel: { 2: 200, 3: 300 }, remotes: [PEER], ...options },
      },
    },
  });
}

describe('rule 1: the VXLAN header', () => {
  it('passes a datagram with the I flag and a known VNI', () => {
    const turn = oneVni().receive('vx', PEER, fromHex(HEADER + INNER));
    expect(turn.to).toEqual(['tap1']);
    expect(turn.out[0].frame).toEqual(fromHex(INNER));
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('drops a payload of %i bytes as vxlan_too_short', (length) => {
    const turn = oneVni().receive('vx', PEER, fromHex(HEADER).slice(0, length));
    expect(turn).toMatchObject({ to: [], drops: ['vx vxlan_too_short'] });
  });

  it.each(['00', 'f7', '01', '10', '80'])('drops flags 0x%s, without the I flag, as vxlan_flag_missing', (flags) => {
    const turn = oneVni().receive('vx', PEER, fromHex(`${flags}000000 00002a00${INNER}`));
    expect(turn).toMatchObject({ to: [], drops: ['vx vxlan_flag_missing'] });
  });
});

describe('rule 2: reserved bits', () => {
  const reserved = [...Array(64).keys()].filter((bit) => bit !== 4 && !(bit >= 32 && bit < 56));
  const withBit = (bit: number) => {
    const bytes = fromHex(HEADER + INNER);
    bytes[bit >> 3] |= 0x80 >> (bit & 7);
    return bytes;
  };

  it('are 39', () => expect(reserved).toHaveLength(39));

  it.each(reserved)('bit %i is ignored by default', (bit) => {
    expect(oneVni().receive('vx', PEER, withBit(bit)).to).toEqual(['tap1']);
  });

  it.each(reserved)('bit %i drops the datagram with reserved_bits: drop', (bit) => {
    const turn = oneVni({ dropReserved: true }).receive('vx', PEER, withBit(bit));
    expect(turn).toMatchObject({ to: [], drops: ['vx vxlan_reserved_bits'] });
  });

  it('with reserved_bits: drop, a datagram without any passes', () => {
    expect(oneVni({ dropReserved: true }).receive('vx', PEER, fromHex(HEADER + INNER)).to).toEqual(['tap1']);
  });
});

describe('rule 3: the VNI', () => {
  it.each(['000000', '00002b', '2a0000', 'ffffff'])('VNI 0x%s, which no port has, is dropped as vni_unknown', (vni) => {
    const sw = oneVni();
    expect(sw.receive('vx', PEER, fromHex(`08000000 ${vni}00${INNER}`)).drops).toEqual(['vx vni_unknown']);
    // Nothing was learned: A is looked for behind every port.
    expect(sw.send('tap1', frame({ source: B, destination: A })).to).toEqual([`vx>${PEER}`]);
    expect(sw.context.fdb.lookup(0x0200, 0x0a, 1)).toBe(-1);
  });

  it('a VNI of a port with another local address or dstport is unknown here', () => {
    const sw = new TestSwitch({
      br0: { ports: { tap1: { type: 'tap' }, vx1: { type: 'vxlan', vni: 42, remotes: [PEER] } } },
      br1: { ports: { tap2: { type: 'tap' }, vx2: { type: 'vxlan', vni: 43, dstport: 8472, remotes: [PEER] } } },
    });
    expect(sw.receive('vx2', PEER, fromHex(HEADER + INNER)).drops).toEqual(['vx2 vni_unknown']);
    expect(sw.receive('vx1', PEER, fromHex(HEADER + INNER)).to).toEqual(['tap1']);
  });

  it('two ports on one socket each get their VNIs, and what belongs to none is counted once', () => {
    const sw = new TestSwitch({
      br0: { ports: { tap1: { type: 'tap' }, vx1: { type: 'vxlan', vni: 42, remotes: [PEER] } } },
      br1: { ports: { tap2: { type: 'tap' }, vx2: { type: 'vxlan', vni: 43, remotes: [PEER], shares: 'vx1' } } },
    });
    expect(sw.receive('vx1', PEER, fromHex(`08000000 00002a00${INNER}`)).to).toEqual(['tap1']);
    expect(sw.receive('vx1', PEER, fromHex(`08000000 00002b00${INNER}`), {}, 'vx2').to).toEqual(['tap2']);
    expect(sw.receive('vx1', PEER, fromHex(`08000000 00002c00${INNER}`)).drops).toEqual(['vx1 vni_unknown']);
  });
});

describe('rule 4: the VTEP', () => {
  it('drops what comes from an address that nobody named as vtep_unknown, and learns nothing', () => {
    const sw = oneVni();
    expect(sw.receive('vx', '192.0.2.9', fromHex(HEADER + INNER))).toMatchObject({
      to: [],
      drops: ['vx vtep_unknown'],
    });
    expect(sw.context.fdb.lookup(0x0200, 0x0a, 1)).toBe(-1);
  });

  it('knows remotes, VTEPs of static entries and peers', () => {
    const sw = oneVni({ peers: ['192.0.2.3'], fdb: [{ mac: B, dst: '2001:db8::4' }] });
    for (const from of [PEER, '192.0.2.3', '2001:db8::4']) {
      expect(sw.receive('vx', from, fromHex(HEADER + INNER)).to).toEqual([]);
    }
    // B is static behind the tunnel, where the frames came from.
    expect(sw.drops()).toEqual(new Map([['vx same_port', 3]]));
  });

  it('a remote of one port is not a remote of another', () => {
    const sw = new TestSwitch({
      br0: { ports: { tap1: { type: 'tap' }, vx1: { type: 'vxlan', vni: 42, remotes: [PEER] } } },
      br1: { ports: { tap2: { type: 'tap' }, vx2: { type: 'vxlan', vni: 43, remotes: ['192.0.2.3'], shares: 'vx1' } } },
    });
    expect(sw.receive('vx1', PEER, fromHex(`08000000 00002b00${INNER}`), {}, 'vx2').drops).toEqual([
      'vx2 vtep_unknown',
    ]);
  });

  it('accept_vteps: any takes all, IPv4 and IPv6, and replies to each', () => {
    const sw = oneVni({ acceptAny: true, remotes: [] });
    for (const [from, source] of [
      ['203.0.113.7', A],
      ['2001:db8::7', '02:00:00:00:00:77'],
      ['203.0.113.7', A],
    ]) {
      expect(sw.tunnel('vx', from, 42, frame({ source })).to).toEqual(['tap1']);
      expect(sw.send('tap1', frame({ source: B, destination: source })).to).toEqual([`vx>${from}`]);
    }
  });
});

describe('rule 5: the inner frame', () => {
  it.each([0, 1, 13])('of %i bytes is dropped as frame_too_short', (length) => {
    const inner = fromHex(INNER).slice(0, length);
    const turn = oneVni().receive('vx', PEER, concatBytes(fromHex(HEADER), inner));
    expect(turn).toMatchObject({ to: [], drops: ['vx frame_too_short'] });
  });

  it('of 14 bytes passes', () => {
    const turn = oneVni().receive('vx', PEER, fromHex(`${HEADER}02000000000b02000000000a88b5`));
    expect(turn.to).toEqual(['tap1']);
  });

  it.each(['000000000000', '01005e000001', 'ffffffffffff', '0300000000aa'])(
    'with source MAC %s is dropped as source_mac_invalid',
    (source) => {
      const turn = oneVni().receive('vx', PEER, fromHex(`${HEADER}02000000000b${source}88b5`));
      expect(turn).toMatchObject({ to: [], drops: ['vx source_mac_invalid'] });
    },
  );

  it("with the port's own MAC as source is dropped as source_is_own", () => {
    const turn = oneVni({ mac: A }).receive('vx', PEER, fromHex(HEADER + INNER));
    expect(turn).toMatchObject({ to: [], drops: ['vx source_is_own'] });
    expect(oneVni({ mac: B }).receive('vx', PEER, fromHex(HEADER + INNER)).to).toEqual(['tap1']);
  });
});

describe('rule 6: an inner tag on a vlan_tunnel port', () => {
  const tagged = '08000000 0000c800 ffffffffffff 02000000000a 8100 6003 88b5 01020304';

  it.each(['0000', '0002', '0003', '6003'])('with TCI 0x%s is dropped as inner_vlan_tagged', (tci) => {
    const turn = tunnelled().receive('vx', PEER, fromHex(tagged.replace('6003', tci)));
    expect(turn).toMatchObject({ to: [], drops: ['vx inner_vlan_tagged'] });
  });

  it('is kept as payload with inner_vlan: keep and never takes the frame into the VLAN it names', () => {
    const turn = tunnelled({ keepInnerVlan: true }).receive('vx', PEER, fromHex(tagged));
    expect(turn.to).toEqual(['tap2', 'trunk']);
    const [tap2, trunk] = ['tap2', 'trunk'].map((to) => turn.out.find((out) => out.to === to)?.frame);
    expect(tap2).toEqual(fromHex('ffffffffffff 02000000000a 8100 6003 88b5 01020304'));
    expect(trunk).toEqual(fromHex('ffffffffffff 02000000000a 8100 0002 8100 6003 88b5 01020304'));
  });

  it('that is kept is learned from in the VLAN of the VNI only', () => {
    const sw = tunnelled({ keepInnerVlan: true });
    sw.receive('vx', PEER, fromHex(tagged));
    expect(sw.send('tap3', frame({ source: B, destination: A })).to).toEqual(['trunk', `vx>${PEER}`]);
    const learnedIn = (vid: number): boolean => sw.context.fdb.lookup(0x0200, 0x0a, fidOf(1, vid)) >= 0;
    expect([2, 3].filter(learnedIn)).toEqual([2]);
  });

  it('of 802.1ad is no tag to it', () => {
    const turn = tunnelled().receive('vx', PEER, fromHex(tagged.replace('8100', '88a8')));
    expect(turn.to).toEqual(['tap2', 'trunk']);
  });
});

describe('rule 9: split horizon', () => {
  it('what came from a remote goes to no remote, of the same port or of another', () => {
    const sw = new TestSwitch({
      br0: {
        ports: {
          tap1: { type: 'tap' },
          vx1: { type: 'vxlan', vni: 42, remotes: [PEER, '192.0.2.3'] },
          vx2: { type: 'vxlan', vni: 43, remotes: ['192.0.2.4'] },
        },
      },
    });
    expect(sw.tunnel('vx1', PEER, 42, frame({ destination: BROADCAST })).to).toEqual(['tap1']);
    expect(sw.tunnel('vx1', PEER, 42, frame({ destination: '02:00:00:00:00:99' })).to).toEqual(['tap1']);
    // A MAC that was learned behind a remote: neither the same port nor the other one sends on.
    sw.tunnel('vx2', '192.0.2.4', 43, frame({ source: B, destination: BROADCAST }));
    sw.tunnel('vx1', '192.0.2.3', 42, frame({ source: '02:00:00:00:00:03', destination: BROADCAST }));
    expect(sw.tunnel('vx1', PEER, 42, frame({ destination: B }))).toMatchObject({ to: [], drops: ['vx1 same_port'] });
    expect(sw.tunnel('vx1', PEER, 42, frame({ destination: '02:00:00:00:00:03' })).drops).toEqual(['vx1 same_port']);
  });
});

describe('rule 10: VNI to VLAN', () => {
  it('the frame enters the bridge in the VLAN of its VNI', () => {
    const sw = tunnelled();
    expect(sw.tunnel('vx', PEER, 200, frame({ destination: BROADCAST })).to).toEqual(['tap2', 'trunk']);
    expect(sw.tunnel('vx', PEER, 300, frame({ destination: BROADCAST })).to).toEqual(['tap3', 'trunk']);
  });

  it('an unmapped VNI never enters the PVID', () => {
    const sw = tunnelled({ vlans: ['2 pvid untagged', '3'] });
    expect(sw.tunnel('vx', PEER, 2, frame({ destination: BROADCAST }))).toMatchObject({
      to: [],
      drops: ['vx vni_unknown'],
    });
  });

  it('a VNI whose VLAN the port does not carry is dropped as vlan_not_allowed', () => {
    const sw = tunnelled({ vlans: ['2'] });
    expect(sw.tunnel('vx', PEER, 300, frame({ destination: BROADCAST })).drops).toEqual(['vx vlan_not_allowed']);
  });

  it('a port with a single VNI takes the VLAN from the tag and the PVID', () => {
    const sw = new TestSwitch({
      br0: {
        filtering: true,
        ports: {
          tap2: { type: 'tap', vlans: ['2 pvid untagged'] },
          tap3: { type: 'tap', vlans: ['3 pvid untagged'] },
          trunk: { type: 'tap', vlans: ['2', '3'] },
          vx: { type: 'vxlan', vlans: ['2 pvid untagged', '3'], vni: 42, remotes: [PEER] },
        },
      },
    });
    expect(sw.tunnel('vx', PEER, 42, packet({ destination: BROADCAST })).to).toEqual(['tap2', 'trunk']);
    expect(sw.tunnel('vx', PEER, 42, packet({ destination: BROADCAST, tci: 3 })).to).toEqual(['tap3', 'trunk']);
    expect(sw.tunnel('vx', PEER, 42, packet({ destination: BROADCAST, tci: 4 })).drops).toEqual([
      'vx vlan_not_allowed',
    ]);
  });
});
