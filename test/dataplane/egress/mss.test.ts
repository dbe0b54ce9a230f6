/** MSS clamping: SYN segments that pass a port with `mss_clamp`, in either direction, and everything else untouched. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VNET_NEEDS_CSUM } from '../../../src/port/packet-io.js';
import { concatBytes, viewOf } from '../../../src/wire/bytes.js';
import { encodeTcp } from '../../../src/wire/tcp.js';
import { encodeIpv4 } from '../../../src/wire/ipv4.js';
import { encodeIpv6 } from '../../../src/wire/ipv6.js';
import { A, B, frame } from '../support/frames.js';
import { TestSwitch, type VxlanSpec } from '../support/harness.js';
import { PEER, plain, setMtu, V6_PEER } from '../support/narrow-path.js';

const SYN = 0x02;
const SYN_ACK = 0x12;
const ACK = 0x10;

interface Syn {
  mss?: number;
  flags?: number;
  version?: 4 | 6;
  tci?: number;
  /** Options before that of the MSS: they may put it at an odd place. */
  before?: number[];
  ipOptions?: number;
  /** Bytes of a destination options header. */
  extension?: number;
  checksum?: 'complete' | 'partial';
  source?: string;
  destination?: string;
}

function syn(fields: Syn = {}): Uint8Array {
  const { mss = 1460, flags = SYN, version = 4, before = [], extension = 0, checksum = 'complete' } = fields;
  const v6 = version === 6;
  const path = {
    source: v6 ? '2001:db8::1' : '198.18.0.1',
    destination: v6 ? '2001:db8::2' : '198.18.0.2',
    checksum,
  };
  const options = [...before, 2, 4, mss >> 8, mss & 0xff];
  while (options.length % 4 !== 0) options.push(1);
  const ports = { sourcePort: 40_000, destinationPort: 5001, payload: new Uint8Array(0) };
  const tcp = encodeTcp({ ...ports, flags, options: Uint8Array.from(options) }, path);
  const header =
    extension === 0 ? [] : [6, extension / 8 - 1, 1, extension - 4, ...new Array<number>(extension - 4).fill(0)];
  const payload = concatBytes(Uint8Array.from(header), tcp);
  const ip = v6
    ? encodeIpv6({ ...path, nextHeader: extension === 0 ? 6 : 60, payload })
    : encodeIpv4({ ...path, protocol: 6, payload, dontFragment: true });
  return frame({
    source: fields.source ?? A,
    destination: fields.destination ?? B,
    etherType: v6 ? 0x86dd : 0x0800,
    payload: ip,
    ...(fields.tci === undefined ? {} : { tci: fields.tci }),
  });
}

/** The frame as it leaves for the remote, from a switch whose vxlan port has these options and a path MTU of 1500. */
function sent(spec: Partial<VxlanSpec>, bytes: Uint8Array, offload = {}): Uint8Array {
  const sw = setMtu(plain(spec), 1500, spec.remotes?.[0] ?? PEER);
  const { out, drops } = sw.send('t1', bytes, offload);
  expect([out.length, drops]).toEqual([1, []]);
  return out[0].frame;
}

describe('a SYN into a tunnel', () => {
  it('gets the MSS of the path, its checksum adjusted: 1500 less 50 of VXLAN and 40 of IPv4 and TCP', () => {
    expect(sent({ mss: 'auto' }, syn())).toEqual(syn({ mss: 1410 }));
    expect(sent({ mss: 'auto' }, syn({ flags: SYN_ACK }))).toEqual(syn({ flags: SYN_ACK, mss: 1410 }));
    expect(sent({ mss: 'auto' }, syn({ version: 6 }))).toEqual(syn({ version: 6, mss: 1390 }));
    expect(sent({ mss: 'auto', remotes: [V6_PEER] }, syn())).toEqual(syn({ mss: 1390 }));
  });

  it('behind tags that are payload gets the room that these leave', () => {
    expect(sent({ mss: 'auto' }, syn({ tci: 7 }))).toEqual(syn({ tci: 7, mss: 1406 }));
    const doubly = (mss: number): Uint8Array => {
      const one = syn({ tci: 7, mss });
      return concatBytes(one.subarray(0, 12), Uint8Array.of(0x88, 0xa8, 0, 5), one.subarray(12));
    };
    expect(sent({ mss: 'auto' }, doubly(1460))).toEqual(doubly(1402));
  });

  it('gets a number that is configured, and is never raised', () => {
    expect(sent({ mss: 1200 }, syn())).toEqual(syn({ mss: 1200 }));
    expect(sent({ mss: 1200 }, syn({ mss: 1200 }))).toEqual(syn({ mss: 1200 }));
    expect(sent({ mss: 1200 }, syn({ mss: 900 }))).toEqual(syn({ mss: 900 }));
    expect(sent({ mss: 'auto' }, syn({ mss: 1410 }))).toEqual(syn({ mss: 1410 }));
  });

  it('with the option at an odd byte has the right checksum', () => {
    for (const before of [[1], [1, 1, 1], [3, 3, 7], [4, 2]]) {
      expect(sent({ mss: 1234 }, syn({ before }))).toEqual(syn({ before, mss: 1234 }));
    }
  });

  it('with extension headers is found', () => {
    const fields = { version: 6, extension: 24 } as const;
    expect(sent({ mss: 1000 }, syn(fields))).toEqual(syn({ ...fields, mss: 1000 }));
  });

  it('with a partial checksum keeps it: the field has the sum of the pseudo-header', () => {
    const offload = { vnet: VNET_NEEDS_CSUM, csum: 34 | (16 << 16) };
    expect(sent({ mss: 1000 }, syn({ checksum: 'partial' }), offload)).toEqual(syn({ mss: 1000 }));
  });

  it('is left alone without the option, and so is what is no SYN', () => {
    expect(sent({}, syn())).toEqual(syn());
    expect(sent({ mss: 1000 }, syn({ flags: ACK }))).toEqual(syn({ flags: ACK }));
  });
});

describe('a port with mss_clamp', () => {
  const both = (spec: Partial<VxlanSpec>): TestSwitch => setMtu(plain(spec), 1500);

  it('lowers the MSS of what comes out of the tunnel too', () => {
    const sw = both({ mss: 'auto' });
    sw.send('t1', frame({ source: A, destination: B }));
    const { out } = sw.tunnel('vx', PEER, 42, syn({ source: B, destination: A, flags: SYN_ACK }));
    expect(out.map(({ to, frame: bytes }) => [to, bytes])).toEqual([
      ['t1', syn({ source: B, destination: A, flags: SYN_ACK, mss: 1410 })],
    ]);
  });

  it('acts on floods, by the least of the ports that have it', () => {
    const sw = both({ mss: 1300 });
    const { out } = sw.send('t1', syn({ destination: '02:00:00:00:00:99' }));
    expect(out.map(({ frame: bytes }) => bytes)).toEqual(
      out.map(() => syn({ destination: '02:00:00:00:00:99', mss: 1300 })),
    );
    expect(out).toHaveLength(2);
  });

  it('looks at each frame of a run', () => {
    const sw = both({ mss: 1300 });
    for (const one of [syn({ flags: ACK }), syn(), syn({ flags: ACK }), syn({ mss: 1400 })]) sw.inject('t1', one);
    const wanted = [syn({ flags: ACK }), syn({ mss: 1300 }), syn({ flags: ACK }), syn({ mss: 1300 })];
    expect(sw.turn().out.map(({ frame: bytes }) => bytes)).toEqual(wanted);
  });

  it('may be a local one, and its number is its own: another bridge is not touched', () => {
    const tap = { type: 'tap', mtu: 1500 } as const;
    const sw = new TestSwitch({
      br0: { ports: { a: { ...tap, mtu: 1280, mss: 'auto' }, b: tap } },
      br1: { ports: { c: tap, d: tap } },
    });
    expect(sw.send('a', syn()).out.map(({ frame: bytes }) => bytes)).toEqual([syn({ mss: 1240 })]);
    expect(sw.send('b', syn({ source: B, destination: A })).out[0].frame).toEqual(
      syn({ source: B, destination: A, mss: 1240 }),
    );
    expect(sw.send('c', syn()).out[0].frame).toEqual(syn());
    sw.apply(sw.topology.setPort('a', 'br0', { ...tap, mtu: 1280 }));
    expect(sw.context.forwarding.clamps).toBe(false);
    expect(sw.send('a', syn()).out[0].frame).toEqual(syn());
  });

  it('takes any bytes', () => {
    const sw = both({ mss: 600 });
    fc.assert(
      fc.property(
        fc.integer({ min: 14, max: 74 }),
        fc.array(fc.tuple(fc.nat(73), fc.nat(255)), { maxLength: 8 }),
        (length, changes) => {
          const bytes = Uint8Array.from(syn({ before: [4, 2, 1] }));
          for (const [at, byte] of changes) if (at >= 12 && at < bytes.length) bytes[at] = byte;
          const view = viewOf(bytes);
          const end = view.getUint8(bytes.length - 1);
          sw.send('t1', bytes.subarray(0, Math.min(length, bytes.length)));
          expect(view.getUint8(bytes.length - 1)).toBe(end);
        },
      ),
    );
  });
});
