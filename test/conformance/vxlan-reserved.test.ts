/** The kernel's vxlan_reserved.sh: which reserved bits of the VXLAN header drop a datagram. */
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/read/faults.js';
import type { VxlanConfig } from '../../src/config/types.js';
import { MemorySwitch } from '../../src/control/memory/memory-switch.js';
import { fromHex } from '../../src/wire/bytes.js';
import { TestSwitch, type VxlanSpec } from '../dataplane/support/harness.js';

const PEER = '192.0.2.18';
const INNER = '02000000000b 02000000000a 88b5 01020304';
/** Bits of the header but the I flag and the VNI. */
const RESERVED = [...Array(64).keys()].filter((bit) => bit !== 4 && !(bit >= 32 && bit < 56));

function make(spec: Partial<VxlanSpec>): TestSwitch {
  return new TestSwitch({
    br1: { ports: { swp1: { type: 'tap' }, vx1: { type: 'vxlan', vni: 1000, remotes: [PEER], ...spec } } },
  });
}

/** Sends a datagram with each reserved bit alone. @returns those whose datagram came through; each other one is counted */
function passing(sw: TestSwitch): number[] {
  return RESERVED.filter((bit) => {
    const bytes = fromHex(`08000000 0003e800 ${INNER}`);
    bytes[bit >> 3] |= 0x80 >> (bit & 7);
    const { to, drops } = sw.receive('vx1', PEER, bytes);
    if (to.length === 0) expect(drops).toEqual(['vx1 vxlan_reserved_bits']);
    return to.length > 0;
  });
}

/** The mask of all reserved bits but one. */
function maskWithout(bit: number): { high: number; low: number } {
  const bits = 0xf7ff_ffff_0000_00ffn & ~(1n << BigInt(63 - bit));
  return { high: Number(BigInt.asIntN(32, bits >> 32n)), low: Number(BigInt.asIntN(32, bits)) };
}

describe('vxlan_reserved.sh', () => {
  it('plain_test: reserved_bits 0xf7ffffff000000ff drops each of the 39', () => {
    expect(RESERVED).toHaveLength(39);
    expect(passing(make({ dropReserved: true, reserved: { high: 0xf7ffffff | 0, low: 0xff } }))).toEqual([]);
    expect(passing(make({ dropReserved: true }))).toEqual([]);
  });

  it.each([
    ['reserved_0_test', 0],
    ['reserved_10_test', 10],
    ['reserved_31_test', 31],
    ['reserved_56_test', 56],
    ['reserved_63_test', 63],
  ])('%s: a bit outside of the mask is let through, and only it', (_name, bit) => {
    expect(passing(make({ dropReserved: true, reserved: maskWithout(bit) }))).toEqual([bit]);
  });

  it('without the option all are ignored, as RFC 7348 says', () => {
    expect(passing(make({}))).toEqual(RESERVED);
  });
});

describe('gbp', () => {
  /** Of the bits of the header but the I flag and the VNI, those that let a datagram through. */
  async function accepted(options: object): Promise<number[]> {
    const vx1 = { type: 'vxlan', id: 1000, remotes: [PEER], ...options };
    const sw = await MemorySwitch.start({ name: 'h', bridges: { br1: { ports: { swp1: { type: 'tap' }, vx1 } } } });
    const through: number[] = [];
    for (const bit of RESERVED) {
      const bytes = fromHex(`08000000 0003e800 ${INNER}`);
      bytes[bit >> 3] |= 0x80 >> (bit & 7);
      sw.putPayload('vx1', { from: PEER }, bytes);
      if ((await sw.run()).length > 0) through.push(bit);
    }
    sw.stop();
    return through;
  }
  /** G, D and A, what is reserved between them, and the policy ID. */
  const policy = [0, ...Array.from({ length: 24 }, (_, i) => 8 + i)];

  it('takes its bits from the reserved ones', async () => {
    expect(await accepted({ reserved_bits: 'drop' })).toEqual([]);
    expect(await accepted({ reserved_bits: 'drop', gbp: true })).toEqual(policy);
    expect(await accepted({ reserved_bits: '0xf7ffffff000000fe', gbp: true })).toEqual([...policy, 63]);
    expect(await accepted({ gbp: true })).toEqual(RESERVED);
  });
});

describe('reserved_bits in a file', () => {
  const read = (value: string): string => {
    const text = `bridges: { br1: { ports: { v: { type: vxlan, id: 1, reserved_bits: ${value} } } } }`;
    return (parseConfig(text, 'f.yaml', { hostname: () => 'h' }).bridges[0].ports[0] as VxlanConfig).reserved_bits;
  };

  it.each([
    ['ignore', 'ignore'],
    ['drop', 'drop'],
    ['"0xF7FFFFFF000000FF"', '0xf7ffffff000000ff'],
    ['"0x1"', '0x1'],
  ])('%s', (value, expected) => expect(read(value)).toBe(expected));

  it.each(['"0x0800000000000000"', '"0x100"', '"0xfffffffffffffffff"', '"no"', '"0x"', '0xf7ffffff000000ff', 'true'])(
    '%s is refused',
    (value) => expect(() => read(value)).toThrow(ConfigError),
  );
});
