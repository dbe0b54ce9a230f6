/** Geneve (RFC 8926) from the underlay and into it. Datagrams are literal bytes. */
import { describe, expect, it } from 'vitest';
import { DropReader } from '../../../src/dataplane/state/drop-ring.js';
import { REASON } from '../../../src/dataplane/state/drop-reasons.js';
import { concatBytes, fromHex, toHex } from '../../../src/wire/bytes.js';
import { encodeGeneve } from '../../../src/wire/geneve.js';
import { A, B, BROADCAST, finished, frame, type PacketFields, packet } from '../support/frames.js';
import { TestSwitch, type VxlanSpec } from '../support/harness.js';

const PEER = '192.0.2.2';
/** To 02:00:00:00:00:0b from 02:00:00:00:00:0a, EtherType 0x88b5, four bytes. */
const INNER = '02000000000b 02000000000a 88b5 01020304';
/** Version 0, no options, Ethernet, VNI 42. */
const HEADER = '00006558 00002a00';
/** An option of an experimental class, of eight bytes. */
const OPTION = 'ff00 01 01 deadbeef';

function make(options: Partial<VxlanSpec> = {}): TestSwitch {
  return new TestSwitch({
    br0: {
      ports: {
        tap1: { type: 'tap' },
        gnv: { type: 'vxlan', geneve: true, dstport: 6081, vni: 42, remotes: [PEER], ...options },
      },
    },
  });
}

const receive = (text: string, from = PEER, sw = make()) => sw.receive('gnv', from, fromHex(text));

describe('a datagram', () => {
  it('passes with a known VNI, and learns where its sender is', () => {
    const sw = make();
    const turn = receive(HEADER + INNER, PEER, sw);
    expect(turn.to).toEqual(['tap1']);
    expect(turn.out[0].frame).toEqual(fromHex(INNER));
    expect(sw.send('tap1', frame({ source: B, destination: A })).to).toEqual([`gnv>${PEER}`]);
  });

  it.each([0, 1, 4, 7])('of %i bytes is dropped as geneve_too_short', (length) => {
    expect(make().receive('gnv', PEER, fromHex(HEADER).slice(0, length)).drops).toEqual(['gnv geneve_too_short']);
  });

  it.each(['40', '80', 'c0', 'ff'])(
    'that begins with 0x%s, of another version, is dropped as geneve_version',
    (first) => {
      expect(receive(`${first}006558 00002a00${INNER}`).drops).toEqual(['gnv geneve_version']);
    },
  );

  it.each([1, 2, 8, 15, 63])('with %i words of options is taken without them', (words) => {
    const options = new Uint8Array(4 * words).fill(0x55);
    const turn = make().receive('gnv', PEER, encodeGeneve(42, fromHex(INNER), options));
    expect(turn.to).toEqual(['tap1']);
    expect(turn.out[0].frame).toEqual(fromHex(INNER));
  });

  it('with an option whose own length lies, but is not critical, is taken: only the length of all counts', () => {
    expect(receive(`02006558 00002a00 ff00 01 1f deadbeef ${INNER}`).to).toEqual(['tap1']);
  });

  it.each([
    ['05', 'options longer than the rest'],
    ['3f', 'the most options that can be said'],
    ['08', 'what looks like the I flag of VXLAN'],
  ])('that ends within its options (0x%s: %s) is dropped as geneve_too_short', (first) => {
    expect(receive(`${first}006558 00002a00 ${OPTION} 0102`).drops).toEqual(['gnv geneve_too_short']);
  });

  it('that ends with its options has no frame: frame_too_short', () => {
    expect(receive(`02006558 00002a00 ${OPTION}`).drops).toEqual(['gnv frame_too_short']);
    expect(receive(`02006558 00002a00 ${OPTION} 02000000000b 02000000000a 88`).drops).toEqual(['gnv frame_too_short']);
  });

  it('with a critical option (C) is dropped as geneve_critical, whatever its options are', () => {
    expect(receive(`02406558 00002a00 ff00 81 01 deadbeef ${INNER}`).drops).toEqual(['gnv geneve_critical']);
    expect(receive(`00406558 00002a00 ${INNER}`).drops).toEqual(['gnv geneve_critical']);
  });

  it('that is a control message (O) is dropped as geneve_control', () => {
    expect(receive(`00806558 00002a00 ${INNER}`).drops).toEqual(['gnv geneve_control']);
    expect(receive(`00c06558 00002a00 ${INNER}`).drops).toEqual(['gnv geneve_control']);
  });

  it.each(['0800', '86dd', '0000', '6559'])('with protocol type 0x%s is dropped as geneve_protocol', (type) => {
    expect(receive(`0000${type} 00002a00 ${INNER}`).drops).toEqual(['gnv geneve_protocol']);
  });

  it.each(['01', '20', '3f'])('with reserved bits 0x%s in the flags, or any in the last byte, passes', (bits) => {
    expect(receive(`00${bits}6558 00002aff ${INNER}`).to).toEqual(['tap1']);
  });

  it('of a VNI that no port has is vni_unknown, before anything else about its payload', () => {
    for (const flags of ['00', '40', '80', 'c0'])
      expect(receive(`00${flags}6558 00002b00 ${INNER}`).drops).toEqual(['gnv vni_unknown']);
  });

  it('of an unknown VTEP is dropped, and teaches nothing', () => {
    const sw = make();
    expect(receive(HEADER + INNER, '192.0.2.9', sw).drops).toEqual(['gnv vtep_unknown']);
    expect(sw.context.fdb.lookup(0x0200, 0x0a, 1)).toBe(-1);
    expect(receive(HEADER + INNER, '192.0.2.9', make({ acceptAny: true })).to).toEqual(['tap1']);
  });

  it('of VXLAN is none of Geneve, nor the other way round', () => {
    expect(receive(`08000000 00002a00 ${INNER} ${'00'.repeat(32)}`).drops).toEqual(['gnv geneve_protocol']);
    const sw = make({ geneve: false });
    expect(receive(HEADER + INNER, PEER, sw).drops).toEqual(['gnv vxlan_flag_missing']);
  });

  it('has the congestion mark of the outer header behind options too', () => {
    const inner = packet({ source: B, destination: A, tos: 2 });
    const turn = make().receive('gnv', PEER, encodeGeneve(42, inner, fromHex(OPTION)), { tos: 3 });
    expect(turn.out[0].frame[15] & 3).toBe(3);
  });

  it('is recorded with its VNI where it is dropped', () => {
    const sw = make();
    receive(`02406558 00002a00 ${OPTION} ${INNER}`, PEER, sw);
    expect(new DropReader([sw.context.drops.memory]).list().at(-1)).toMatchObject({
      reason: REASON.geneve_critical,
      vni: 42,
    });
  });
});

describe('the sockets of both encapsulations', () => {
  const both = () =>
    new TestSwitch({
      br0: {
        ports: {
          tap1: { type: 'tap' },
          gnv: { type: 'vxlan', geneve: true, dstport: 6081, vni: 42, remotes: [PEER] },
          vx: { type: 'vxlan', vni: 42, remotes: [PEER] },
        },
      },
    });

  it('a frame of one is never sent by the other, and a flood goes out by both, each in its header', () => {
    const sw = both();
    expect(sw.tunnel('gnv', PEER, 42, frame({ source: A, destination: BROADCAST })).to).toEqual(['tap1']);
    const turn = sw.send('tap1', frame({ source: B, destination: BROADCAST }));
    expect(turn.out.map(({ to, header }) => `${to} ${toHex(header)}`).sort()).toEqual([
      `gnv>${PEER} 0000655800002a00`,
      `vx>${PEER} 0800000000002a00`,
    ]);
  });

  it('a socket that ends leaves nothing to the one that gets its number', () => {
    const sw = both();
    sw.apply(sw.topology.removePort('gnv'));
    sw.apply(sw.topology.addPort('br0', 'vx2', { type: 'vxlan', vni: 43, dstport: 4790, remotes: [PEER] }));
    expect(sw.tunnel('vx2', PEER, 43, frame({ source: A, destination: BROADCAST })).to).toEqual(['tap1']);
  });
});

describe('datagrams of one flow', () => {
  const tunnelled = (fields: PacketFields, options = '') =>
    encodeGeneve(42, packet({ source: B, destination: A, ...fields }), fromHex(options));

  function arrive(datagrams: readonly Uint8Array[], segment: boolean) {
    const sw = make();
    sw.send('tap1', frame({ source: A, destination: BROADCAST }));
    datagrams.forEach((bytes, train) => {
      sw.injectDatagram('gnv', PEER, bytes, segment ? { train, segment: datagrams[0].length } : {});
    });
    return sw.turn();
  }

  it.each([
    ['in a row', '', false],
    ['in a row, with options', OPTION, false],
    ['in a GRO batch', '', true],
    ['in a GRO batch, with options', OPTION, true],
  ])('%s come whole and in order', (_name, options, segment) => {
    const members = [1, 2, 3, 4].map((sourcePort) => ({ source: B, destination: A, data: 1000, sourcePort }));
    const turn = arrive(
      members.map((fields) => tunnelled(fields, options)),
      segment,
    );
    expect(turn.out.map((out) => out.frame)).toEqual(members.map(finished));
  });

  it.each([false, true])('other options, or their end, begin anew (GRO: %s)', (segment) => {
    const data = 1000;
    const critical = concatBytes(
      fromHex('02406558 00002a00'),
      fromHex(OPTION),
      packet({ source: B, destination: A, data }),
    );
    const turn = arrive([tunnelled({ data }, OPTION), tunnelled({ data }), critical, tunnelled({ data })], segment);
    expect(turn.out.map((out) => out.frame)).toEqual(Array(3).fill(finished({ source: B, destination: A, data })));
    expect(turn.drops).toEqual(['gnv geneve_critical']);
  });
});
