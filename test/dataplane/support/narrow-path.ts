/**
 * A switch with a low path MTU to a remote, frames of an exact size, and the parsed answer to one that was too long. For the
 * tests of `too-big.ts`, which check the bytes of answers.
 */
import { toHex, viewOf } from '../../../src/wire/bytes.js';
import { B, type PacketFields, packet, transportOffset } from './frames.js';
import { type Out, TestSwitch, type VxlanSpec } from './harness.js';

export const PEER = '192.0.2.2';
export const OTHER = '192.0.2.3';
export const V6_PEER = '2001:db8:ffff::2';

/** B is behind the first remote. */
export function plain(spec: Partial<VxlanSpec> = {}, mtu = 1500): TestSwitch {
  const remotes = spec.remotes ?? [PEER];
  return new TestSwitch({
    br0: {
      ports: {
        t1: { type: 'tap', mtu },
        t2: { type: 'tap', mtu: 1000 },
        vx: { type: 'vxlan', vni: 42, remotes, fdb: [{ mac: B, dst: remotes[0] }], ...spec },
      },
    },
  });
}

export function remoteOf(sw: TestSwitch, address: string): number {
  const remote = sw.topology.port('vx').remotes.get(`${address} 4789`);
  if (remote === undefined) throw new Error(`no remote ${address}`);
  return remote;
}

export function setMtu(sw: TestSwitch, mtu: number, address = PEER): TestSwitch {
  sw.apply([{ op: 'remote-mtu', remote: remoteOf(sw, address), mtu }]);
  return sw;
}

/** A UDP packet of so many bytes, DF set, from A to B. */
export function sized(bytes: number, fields: PacketFields = {}): Uint8Array {
  const headers = transportOffset(fields) - 14 - (fields.tci === undefined ? 0 : 4) + 8;
  return packet({ protocol: 'udp', df: true, data: bytes - headers, ...fields });
}

/** What an answer says: where it went, its MAC addresses, what is between them and IP, and its ICMP type, code and MTU. */
export function told(out: Out, tagged = false): { to: string; link: string; type: number; code: number; mtu: number } {
  const l3 = tagged ? 18 : 14;
  const view = viewOf(out.frame);
  const v6 = out.frame[l3] >>> 4 === 6;
  const icmp = l3 + (v6 ? 40 : 20);
  const mtu = v6 ? view.getUint32(icmp + 4) : view.getUint16(icmp + 6);
  const link = toHex(out.frame.subarray(0, l3));
  return { to: out.to, link, type: out.frame[icmp], code: out.frame[icmp + 1], mtu };
}
