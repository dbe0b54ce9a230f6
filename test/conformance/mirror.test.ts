/** Translations of the kernel's mirror tests: 10 requests and their answers pass a mirrored port, in one direction each. */
import { describe, expect, test } from 'vitest';
import { MIRROR_EGRESS, MIRROR_INGRESS } from '../../src/dataplane/state/mirrors.js';
import { A, B, frame } from '../dataplane/support/frames.js';
import { TestSwitch } from '../dataplane/support/harness.js';

const PINGS = 10;
const DIRECTIONS = [
  ['ingress', MIRROR_INGRESS, 'requests'],
  ['egress', MIRROR_EGRESS, 'answers'],
] as const;

/** Copies of requests and answers between swp1 and swp2 at the mirror of swp1. */
function mirrored(directions: number, tci: number | undefined, remote: string | null): Record<string, number> {
  const filtering = tci !== undefined;
  const port = { type: 'tap', vlans: filtering ? ['1 pvid untagged', '111'] : [] } as const;
  const mirror = { directions, ports: ['swp1'] };
  const sw = new TestSwitch({
    br1: {
      filtering,
      ports: {
        swp1: port,
        swp2: port,
        mirror: remote === null ? { ...port, mirror } : { type: 'vxlan', vni: 555, remotes: [remote], mirror },
      },
    },
  });
  const tag = tci === undefined ? {} : { tci };
  const count = { requests: 0, answers: 0 };
  for (let i = 0; i < PINGS; i++) {
    const request = sw.send('swp1', frame({ source: A, destination: B, ...tag }));
    const answer = sw.send('swp2', frame({ source: B, destination: A, ...tag }));
    const copies = (out: typeof request.out): typeof out => out.filter(({ port: name }) => name === 'mirror');
    count.requests += copies(request.out).length;
    count.answers += copies(answer.out).length;
    for (const copy of [...copies(request.out), ...copies(answer.out)])
      expect(copy.frame).toEqual(
        frame({
          source: copies(request.out).includes(copy) ? A : B,
          destination: copies(request.out).includes(copy) ? B : A,
          ...tag,
        }),
      );
  }
  return count;
}

describe.each(DIRECTIONS)('%s', (_, directions, what) => {
  const wanted = { requests: 0, answers: 0, [what]: PINGS };

  test('mirror_gre_bridge_1d.sh: test_gretap', () => {
    expect(mirrored(directions, undefined, '192.0.2.130')).toEqual(wanted);
  });

  test('mirror_gre_bridge_1d.sh: test_ip6gretap', () => {
    expect(mirrored(directions, undefined, '2001:db8:2::2')).toEqual(wanted);
  });

  test('mirror_vlan.sh: test_vlan', () => {
    expect(mirrored(directions, undefined, null)).toEqual(wanted);
  });

  test('mirror_vlan.sh: test_tagged_vlan', () => {
    expect(mirrored(directions, 111, null)).toEqual(wanted);
  });
});
