/** A bridge with `vlan_protocol 802.1ad`: service tags say the VLAN, tags of customers are payload. Frames are literal bytes. */
import { describe, expect, it } from 'vitest';
import { VNET_NEEDS_CSUM } from '../../../src/port/packet-io.js';
import { fromHex, toHex } from '../../../src/wire/bytes.js';
import { type BridgeSpec, TestSwitch, type VxlanSpec } from '../support/harness.js';

const PEER = '192.0.2.2';
const MACS = 'ffffffffffff02000000000a';
const REST = '88b501020304';
/** Untagged; of customer VLAN 10, with priority 5; of service VLAN 100, with priority 3; and both. */
const [PLAIN, C, S, SC] = ['', '8100a00a', '88a86064', '88a860648100a00a'].map((tags) => `${MACS}${tags}${REST}`);

function make(options: Partial<BridgeSpec> = {}, tunnel: Partial<VxlanSpec> = { vni: 1000 }): TestSwitch {
  return new TestSwitch({
    br0: {
      filtering: true,
      serviceTags: true,
      ...options,
      ports: {
        a: { type: 'tap', vlans: ['100 pvid untagged'] },
        b: { type: 'tap', vlans: ['100 pvid untagged'] },
        other: { type: 'tap', vlans: ['200 pvid untagged'] },
        trunk: { type: 'tap', vlans: ['100', '200'] },
        vx: { type: 'vxlan', vlans: ['100 pvid untagged'], remotes: [PEER], ...tunnel },
      },
    },
  });
}

/** What leaves, by port. */
function leaving(sw: TestSwitch, port: string, bytes: string): Record<string, string> {
  return Object.fromEntries(sw.send(port, fromHex(bytes)).out.map(({ to, frame }) => [to, toHex(frame)]));
}

describe('a bridge of 802.1ad', () => {
  it.each([
    ['without a tag', PLAIN, `${MACS}88a80064${REST}`],
    // The priority of a customer's tag stays the customer's.
    ['with a tag of the customer', C, `${MACS}88a800648100a00a${REST}`],
  ])('a frame %s is in the VLAN of the PVID, and gets a service tag where it is tagged', (_name, bytes, tagged) => {
    expect(leaving(make(), 'a', bytes)).toEqual({ b: bytes, trunk: tagged, [`vx>${PEER}`]: bytes });
  });

  it.each([
    [S, PLAIN],
    [SC, C],
  ])('a service tag says the VLAN, and is taken off where it is untagged', (bytes, bare) => {
    expect(leaving(make(), 'trunk', bytes)).toEqual({ a: bare, b: bare, [`vx>${PEER}`]: bare });
  });

  it('a service tag with VID 0 has the PVID, and its priority stays', () => {
    const tagged = leaving(make(), 'a', `${MACS}88a8e0008100a00a${REST}`);
    expect(tagged).toEqual({ b: C, trunk: `${MACS}88a8e0648100a00a${REST}`, [`vx>${PEER}`]: C });
  });

  it('VLANs of the service are apart, and a VLAN of the customer is none of them', () => {
    expect(make().send('a', fromHex(`${MACS}88a800c8${REST}`)).drops).toEqual(['a vlan_not_allowed']);
    expect(leaving(make(), 'other', `${MACS}81000064${REST}`)).toEqual({ trunk: `${MACS}88a800c881000064${REST}` });
  });

  it.each(['', '88', '88a8', '88a800'])('is not led past the end by half a tag (%s)', (cut) => {
    const { drops } = make().send('trunk', fromHex(`${MACS}${cut}`.slice(0, 2 * 15)));
    expect(drops).toHaveLength(1);
  });

  it('an 802.1Q tag of a bridge of 802.1Q is its VLAN, and a service tag payload', () => {
    const sw = make({ serviceTags: false });
    expect(leaving(sw, 'trunk', `${MACS}8100006488a80005${REST}`)).toMatchObject({ a: `${MACS}88a80005${REST}` });
    expect(leaving(sw, 'a', S)).toMatchObject({ trunk: `${MACS}8100006488a86064${REST}` });
  });

  it('from a remote, a single VNI has its VLAN by service tag and PVID', () => {
    const sw = make();
    const out = sw.tunnel('vx', PEER, 1000, fromHex(C)).out.map(({ to, frame }) => [to, toHex(frame)]);
    expect(out).toEqual([
      ['a', C],
      ['b', C],
      ['trunk', `${MACS}88a800648100a00a${REST}`],
    ]);
  });
});

describe('a vlan_tunnel port of such a bridge', () => {
  const mapped = (keep: boolean): Partial<VxlanSpec> => ({
    vlans: ['100', '200'],
    tunnel: { 100: 1000, 200: 2000 },
    keepInnerVlan: keep,
  });

  it('with inner_vlan keep carries the tags of customers in the VNI of the service', () => {
    const sw = make({}, mapped(true));
    expect(leaving(sw, 'a', C)[`vx>${PEER}`]).toBe(C);
    expect(leaving(sw, 'trunk', SC)[`vx>${PEER}`]).toBe(C);
    const out = sw.tunnel('vx', PEER, 1000, fromHex(C)).out.map(({ to, frame }) => [to, toHex(frame)]);
    expect(out).toContainEqual(['trunk', `${MACS}88a800648100a00a${REST}`]);
    expect(out).toContainEqual(['a', C]);
  });

  it('without it sends and takes none', () => {
    const sw = make({}, mapped(false));
    for (const [port, bytes] of [
      ['a', C],
      ['trunk', SC],
    ])
      expect(sw.send(port, fromHex(bytes)).drops).toEqual(['vx inner_vlan_tagged']);
    expect(leaving(sw, 'a', PLAIN)[`vx>${PEER}`]).toBe(PLAIN);
    expect(sw.tunnel('vx', PEER, 1000, fromHex(C)).drops).toEqual(['vx inner_vlan_tagged']);
    // A priority tag of 802.1Q is a tag too.
    expect(sw.send('a', fromHex(`${MACS}8100a000${REST}`)).drops).toEqual(['vx inner_vlan_tagged']);
  });
});

describe('selective Q-in-Q', () => {
  const selective = (): TestSwitch => {
    const sw = new TestSwitch({
      br0: {
        filtering: true,
        serviceTags: true,
        ports: {
          uni: { type: 'tap', vlans: ['100 pvid untagged', '200 untagged', '300'] },
          nni: { type: 'tap', vlans: ['100', '200', '300'] },
        },
      },
    });
    const maps = [
      { first: 10, last: 19, service: 200 },
      { first: 30, last: 30, service: 300 },
      { first: 40, last: 40, service: 400 },
    ];
    sw.apply([{ op: 'cvlans', port: sw.port('uni'), maps }]);
    return sw;
  };
  const tagged = (sw: TestSwitch, bytes: string): string[] =>
    sw.send('uni', fromHex(`${MACS}${bytes}${REST}`)).out.map(({ frame }) => toHex(frame).slice(24, 40));

  it.each([
    ['8100000a', '88a800c88100000a'],
    ['8100e013', '88a800c88100e013'],
    ['8100001e', '88a8012c8100001e'],
    ['81000014', '88a8006481000014'],
    // A priority tag, and one of the highest number.
    ['81000000', '88a8006481000000'],
    ['81000fff', '88a8006481000fff'],
    // A service tag says the VLAN itself, whatever is in it.
    ['88a8006400', '88a8006400'],
  ])('the tag %s leaves as %s', (tag, expected) => {
    expect(tagged(selective(), tag)[0]?.startsWith(expected.slice(0, 16))).toBe(true);
  });

  it('without a tag it is the PVID; a service VLAN of which the port is no member drops', () => {
    expect(tagged(selective(), '')[0]).toBe('88a8006488b50102');
    expect(selective().send('uni', fromHex(`${MACS}81000028${REST}`)).drops).toEqual(['uni vlan_not_allowed']);
    // Half a tag is none.
    expect(selective().send('uni', fromHex(`${MACS}810000`)).to).toEqual(['nni']);
  });

  it('back to the customer both services come with its own tags', () => {
    const sw = selective();
    for (const service of ['0064', '00c8']) {
      const bytes = fromHex(`${MACS}88a8${service}8100000a${REST}`);
      expect(sw.send('nni', bytes).out.map(({ frame }) => toHex(frame))).toEqual([`${MACS}8100000a${REST}`]);
    }
  });

  it('ends with the maps, and with the port', () => {
    const sw = selective();
    sw.apply([{ op: 'cvlans', port: sw.port('uni'), maps: [] }]);
    expect(tagged(sw, '8100000a')).toEqual(['88a800648100000a']);
  });
});

describe('lengths and offloads', () => {
  const long = (tags: string, payload: number): string => `${MACS}${tags}88b5${'00'.repeat(payload)}`;

  it('a service tag is beside the frame: a tag of the customer has the room above the MTU', () => {
    const turn = make().send('a', fromHex(long('8100000a', 1450)));
    expect(turn.out.map(({ to, frame }) => [to, frame.length])).toEqual([
      ['b', 1468],
      ['trunk', 1472],
      [`vx>${PEER}`, 1468],
    ]);
    expect(make().send('a', fromHex(long('8100000a', 1451))).drops).toEqual(['b mtu_exceeded', 'trunk mtu_exceeded']);
    expect(
      make()
        .send('trunk', fromHex(long('88a800648100000a', 1450)))
        .out.map(({ to }) => to),
    ).toEqual(['a', 'b', `vx>${PEER}`]);
  });

  it('a partial checksum inside of a service tag would change its VLAN: offload_invalid', () => {
    const bytes = fromHex(`${SC}${'00'.repeat(40)}`);
    const at = (start: number, field: number) =>
      make().send('trunk', bytes, { vnet: VNET_NEEDS_CSUM, gso: 0, csum: start | (field << 16) });
    expect(at(14, 0).drops).toEqual(['trunk offload_invalid']);
    expect(at(18, 6).to).toEqual(['a', 'b', `vx>${PEER}`]);
  });
});
