/**
 * The bridged geneve cases of the kernel's pmtu.sh: a path through the tunnel with a lower MTU, whose value the sender behind the bridge
 * is told by ICMP, for both families inside and outside.
 */
import { expect, it } from 'vitest';
import { B } from '../dataplane/support/frames.js';
import { TestSwitch } from '../dataplane/support/harness.js';
import { sized, told } from '../dataplane/support/narrow-path.js';

const PATH = 1400;
/** Outer IP, UDP, Geneve, inner Ethernet. */
const OVERHEAD = { 4: 20 + 8 + 8 + 14, 6: 40 + 8 + 8 + 14 };

it.each([
  ['pmtu_ipv4_br_geneve4_exception', 4, 4],
  ['pmtu_ipv6_br_geneve4_exception', 6, 4],
  ['pmtu_ipv4_br_geneve6_exception', 4, 6],
  ['pmtu_ipv6_br_geneve6_exception', 6, 6],
] as const)('%s', (_name, inner, outer) => {
  const remote = outer === 4 ? '192.0.2.2' : '2001:db8:ffff::2';
  const sw = new TestSwitch({
    br0: {
      ports: {
        guest: { type: 'tap', mtu: 1500 },
        gnv: { type: 'vxlan', geneve: true, vni: 1, remotes: [remote], fdb: [{ mac: B, dst: remote }] },
      },
    },
  });
  const index = sw.topology.port('gnv').remotes.get(`${remote} 4789`) as number;
  sw.apply([{ op: 'remote-mtu', remote: index, mtu: PATH }]);
  const mtu = PATH - OVERHEAD[outer];
  expect(sw.send('guest', sized(mtu, { version: inner })).to).toEqual([`gnv>${remote}`]);
  const { out, drops } = sw.send('guest', sized(mtu + 1, { version: inner }));
  expect(drops).toEqual(['gnv mtu_exceeded']);
  expect(out.map((one) => told(one))).toMatchObject([{ to: 'guest', type: inner === 4 ? 3 : 2, mtu }]);
});
