/** geneve ports in a file: their options, their defaults, and what is refused. */
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import type { SwitchConfig } from '../../src/config/types.js';
import { PORT_KINDS, PORT_TYPES } from '../../src/config/options/kinds.js';
import { ConfigError } from '../../src/config/read/faults.js';
import { isTunnelType } from '../../src/page/model/tunnel-type.js';

const parse = (text: string): SwitchConfig => parseConfig(text, 'f.yaml', { hostname: () => 'h' });
const ports = (text: string) => parse(`bridges: { br1: { ports: { ${text} } } }`).bridges[0].ports;

function faults(text: string): string {
  try {
    ports(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

describe('a geneve port', () => {
  it('has the UDP port of RFC 8926, and the defaults of a vxlan port', () => {
    expect(ports('g: { type: geneve, id: 100, remotes: [192.0.2.2] }')).toMatchObject([
      {
        type: 'geneve',
        dstport: 6081,
        srcport: [32_768, 61_000],
        udpcsum: true,
        accept_vteps: 'known',
        inner_vlan: 'drop',
        reserved_bits: 'ignore',
        proxy: false,
        family: 4,
      },
    ]);
    expect(ports('g: { type: geneve, id: 100, dstport: 6082, local: "2001:db8::1" }')[0]).toMatchObject({
      dstport: 6082,
      family: 6,
    });
  });

  it('maps VLANs to VNIs', () => {
    const config = parse(
      'bridges: { br1: { vlan_filtering: true, ports: { g: { type: geneve, vlan_tunnel: true, vlans: [{ vid: 2-3, tunnel_info: 20-21 }] } } } }',
    );
    expect(config.bridges[0].ports[0].vlans.map(({ vid, vni }) => [vid, vni])).toEqual([
      [2, 20],
      [3, 21],
    ]);
  });

  it.each(['group', 'proxy', 'rsc', 'l2miss', 'l3miss', 'reserved_bits'])('has no %s', (key) => {
    expect(faults(`g: { type: geneve, id: 1, ${key}: true }`)).toContain(key);
  });

  it('needs a VNI', () => expect(faults('g: { type: geneve }')).toContain('a geneve port needs a VNI'));

  it('a UDP port of an address has one encapsulation', () => {
    const other = 'v: { type: vxlan, id: 2, dstport: 6081, local: 192.0.2.1 }';
    expect(faults(`g: { type: geneve, id: 1, local: 192.0.2.1 }, ${other}`)).toContain(
      'is a vxlan port at the local address and dstport (6081) of the geneve port g',
    );
    expect(faults(`g: { type: geneve, id: 1, local: 192.0.2.3 }, ${other}`)).toBe('');
    expect(faults('g: { type: geneve, id: 1 }, v: { type: vxlan, id: 1 }')).toBe('');
  });

  it('shares a VNI with no other of its address and port', () => {
    expect(faults('g: { type: geneve, id: 1 }, h: { type: geneve, id: 1 }')).toContain('VNI 1 is on port g too');
  });
});

it('the page knows which types are tunnels', () => {
  for (const type of PORT_TYPES) expect(isTunnelType(type)).toBe(PORT_KINDS[type].tunnels);
});
