/** Outer header fields chosen per frame by the engine: the socket, by flow and DF, and the type of service. */
import { describe, expect, it } from 'vitest';
import { BROADCAST, frame, type PacketFields, packet } from '../support/frames.js';
import { TestSwitch, type VxlanSpec } from '../support/harness.js';

const PEER = '192.0.2.2';

function make(dfInherit: boolean, senders = 4): TestSwitch {
  return new TestSwitch(
    { br0: { ports: { t1: { type: 'tap' }, vx: { type: 'vxlan', vni: 42, remotes: [PEER], dfInherit } } } },
    { senders },
  );
}

function senderOf(sw: TestSwitch, bytes: Uint8Array): number {
  const { out } = sw.send('t1', bytes);
  expect(out).toHaveLength(1);
  return out[0].sender;
}

const pools = (sw: TestSwitch): [plain: number[], whole: number[]] => {
  const { senders, dfSenders } = sw.topology.port('vx');
  return [senders, dfSenders];
};

describe('df inherit: a second pool of sockets', () => {
  const KINDS: [string, PacketFields | null, 'plain' | 'whole'][] = [
    ['IPv4 with DF', { df: true }, 'whole'],
    ['IPv4 with DF behind a tag', { df: true, tci: 7 }, 'whole'],
    ['UDP over IPv4 with DF', { df: true, protocol: 'udp' }, 'whole'],
    ['IPv6', { version: 6 }, 'whole'],
    ['IPv6 behind a tag', { version: 6, tci: 7 }, 'whole'],
    ['IPv4 without DF', {}, 'plain'],
    ['IPv4 without DF behind a tag', { tci: 7 }, 'plain'],
    ['what is not IP', null, 'plain'],
  ];

  it.each(KINDS)('%s', (_name, fields, pool) => {
    const sw = make(true);
    const [plain, whole] = pools(sw);
    const bytes = fields === null ? frame({ destination: BROADCAST }) : packet(fields);
    expect((pool === 'whole' ? whole : plain).includes(senderOf(sw, bytes))).toBe(true);
  });

  it('a flow has one socket of each pool, and different flows spread over both', () => {
    const sw = make(true);
    const used = { plain: new Set<number>(), whole: new Set<number>() };
    for (let sourcePort = 1000; sourcePort < 1200; sourcePort++) {
      for (const [name, df] of [
        ['plain', false],
        ['whole', true],
      ] as const) {
        const first = senderOf(sw, packet({ sourcePort, df }));
        expect(senderOf(sw, packet({ sourcePort, df, data: 700 }))).toBe(first);
        used[name].add(first);
      }
    }
    const [plain, whole] = pools(sw);
    expect([[...used.plain].sort(), [...used.whole].sort()]).toEqual([plain, whole]);
  });

  it('all copies of a flood leave by one socket', () => {
    const sw = new TestSwitch({
      br0: {
        ports: {
          t1: { type: 'tap' },
          vx: { type: 'vxlan', vni: 42, remotes: [PEER, '192.0.2.3', '192.0.2.4'], dfInherit: true },
        },
      },
    });
    const { out } = sw.send('t1', packet({ df: true, destination: BROADCAST }));
    expect(out.map(({ sender }) => sender)).toEqual(Array(3).fill(sw.topology.port('vx').dfSenders[0]));
  });

  it('comes and goes while frames flow', () => {
    const sw = make(false);
    const spec: VxlanSpec = { type: 'vxlan', vni: 42, remotes: [PEER] };
    for (const dfInherit of [true, false, true]) {
      sw.apply(sw.topology.setPort('vx', 'br0', { ...spec, dfInherit }));
      sw.apply(sw.topology.setSenders('vx', 2));
      const [plain, whole] = pools(sw);
      expect(whole).toHaveLength(dfInherit ? 2 : 0);
      expect((dfInherit ? whole : plain).includes(senderOf(sw, packet({ df: true })))).toBe(true);
      expect(plain.includes(senderOf(sw, packet({})))).toBe(true);
    }
  });
});

it('with one pool DF makes no difference', () => {
  const sw = make(false);
  for (let sourcePort = 1000; sourcePort < 1050; sourcePort++) {
    expect(senderOf(sw, packet({ sourcePort, df: true }))).toBe(senderOf(sw, packet({ sourcePort })));
  }
});

describe('the type of service, for all 16 pairs of what is configured and what is inside', () => {
  // RFC 6040 section 4.1 with what Linux makes of CE; the configured byte has no say in the ECN.
  const OUTER_OF_INNER = [0, 1, 2, 2];
  const pairs = [0, 1, 2, 3].flatMap((configured) => [0, 1, 2, 3].map((inner) => [configured, inner] as const));

  it.each(pairs)('ECN %i configured, %i inside', (configured, inner) => {
    for (const version of [4, 6] as const) {
      const tosOf = (tos: number): number => {
        const sw = new TestSwitch({
          br0: { ports: { t1: { type: 'tap' }, vx: { type: 'vxlan', vni: 42, remotes: [PEER], tos } } },
        });
        return sw.send('t1', packet({ version, tos: 0x68 | inner })).out[0].tos;
      };
      expect(tosOf(0xb8 | configured)).toBe(0xb8 | OUTER_OF_INNER[inner]);
      expect(tosOf(-1)).toBe(0x68 | OUTER_OF_INNER[inner]);
    }
  });
});
