/**
 * The kernel's q_in_vni.sh and q_in_vni_ipv6.sh: a bridge of 802.1ad with two customers' ports and a vxlan port of one VNI, in VLAN 100,
 * PVID and untagged everywhere, and two remotes. H1 pings, in its own VLANs 10 and 20, H2, and hosts behind both remotes.
 */
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex } from '../../src/wire/bytes.js';
import { A, B, BROADCAST, C, D, packet } from '../dataplane/support/frames.js';
import { TestSwitch } from '../dataplane/support/harness.js';

const VLANS = ['100 pvid untagged'];
const [H1, H2, R1, R2] = [A, B, C, D];

function make(remotes: readonly string[]): TestSwitch {
  return new TestSwitch({
    br1: {
      filtering: true,
      serviceTags: true,
      ports: {
        swp1: { type: 'tap', vlans: VLANS },
        swp2: { type: 'tap', vlans: VLANS },
        vx100: { type: 'vxlan', vni: 1000, vlans: VLANS, remotes: [...remotes] },
      },
    },
  });
}

/** A packet in a VLAN of the customer. */
function ofCustomer(vid: number, source: string, destination: string, version: 4 | 6): Uint8Array {
  const bytes = packet({ source, destination, version, data: 56 });
  return concatBytes(bytes.subarray(0, 12), fromHex(`8100${vid.toString(16).padStart(4, '0')}`), bytes.subarray(12));
}

/** A question to all, and answers between the two. */
function expectPing(
  sw: TestSwitch,
  remotes: readonly string[],
  peer: [place: string, mac: string],
  version: 4 | 6,
): void {
  const [place, mac] = peer;
  for (const vid of [10, 20]) {
    const asked = ofCustomer(vid, H1, BROADCAST, version);
    const flooded = sw.send('swp1', asked);
    expect(flooded.to).toEqual(['swp2', ...remotes.map((remote) => `vx100>${remote}`)]);
    for (const { frame } of flooded.out) expect(toHex(frame)).toBe(toHex(asked));
    for (const { header } of flooded.out.slice(1)) expect(toHex(header)).toBe('080000000003e800');
    const answer = ofCustomer(vid, mac, H1, version);
    const back = place === 'swp2' ? sw.send('swp2', answer) : sw.tunnel('vx100', place, 1000, answer);
    expect(back.out.map(({ to, frame }) => [to, toHex(frame)])).toEqual([['swp1', toHex(answer)]]);
    const ping = ofCustomer(vid, H1, mac, version);
    const out = sw.send('swp1', ping).out.map(({ to, frame }) => [to, toHex(frame)]);
    expect(out).toEqual([[place === 'swp2' ? 'swp2' : `vx100>${place}`, toHex(ping)]]);
  }
}

describe.each([
  ['q_in_vni.sh', 'ping_ipv4', 4, ['192.0.2.34', '192.0.2.50']],
  ['q_in_vni_ipv6.sh', 'ping_ipv6', 6, ['2001:db8:4::1', '2001:db8:5::1']],
] as const)('%s: %s', (_script, _case, version, remotes) => {
  it('local to local', () => expectPing(make(remotes), remotes, ['swp2', H2], version));
  it('local to remote 1', () => expectPing(make(remotes), remotes, [remotes[0], R1], version));
  it('local to remote 2', () => expectPing(make(remotes), remotes, [remotes[1], R2], version));
});
