/** The stage "flooding": the copies of a broadcast, over ports with VLANs and a tunnel with a flood list. */
import type { TraceCopy } from '../../api/trace.js';
import { MemorySwitch } from '../../control/memory/memory-switch.js';
import { toHex } from '../../wire/bytes.js';
import type { Chance } from '../chance.js';
import { bytesOf } from '../predict/cases.js';
import type { Call, StageJudge } from './stage-judge.js';

const VIDS = [10, 20, 30];
const REMOTES = ['192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5'];
const LOCALS = ['p1', 'p2', 'p3', 'p4', 'p5'];
const TUNNEL = 'vxlan0';
const CALLS = 10;

interface Membership {
  vid: number;
  untagged: boolean;
}

/** As the student's function gets it. */
interface StagePort {
  name: string;
  up: boolean;
  isolated: boolean;
  vlans: Membership[];
  tunnel: { remotes: string[]; vnis: Record<string, number> } | null;
}

export const flooding: StageJudge = {
  entry: 'flood',
  fresh: false,
  cases: 40,
  returns: 'a list of copies: { port, tag? } or { port, remote, vni }',
  read(result) {
    if (!Array.isArray(result)) return undefined;
    const copies = result.map((copy: unknown) => copyText(copy));
    return copies.includes(undefined) ? undefined : textOf(copies as string[]);
  },
  async calls(chance) {
    const ports = portsOf(chance);
    const sw = await MemorySwitch.start(documentOf(ports), { fdbSize: 1024 });
    try {
      const calls: Call[] = [];
      for (let tries = 0; calls.length < CALLS && tries < 100; tries++) calls.push(...callOf(sw, chance, ports));
      return calls;
    } finally {
      sw.stop();
    }
  },
};

function portsOf(chance: Chance): StagePort[] {
  const vlansOf = (): Membership[] =>
    VIDS.filter(() => chance.percent(70)).map((vid) => ({ vid, untagged: chance.percent(50) }));
  const locals = LOCALS.slice(0, 2 + chance.below(LOCALS.length - 1)).map((name) => {
    const up = !chance.percent(12);
    return { name, up, isolated: chance.percent(25), vlans: vlansOf(), tunnel: null };
  });
  if (chance.percent(20)) return chance.shuffled(locals);
  const vids = VIDS.filter(() => chance.percent(80));
  const vnis = Object.fromEntries(vids.map((vid) => [vid, chance.percent(50) ? vid : 5000 + vid]));
  const remotes = REMOTES.slice(0, chance.below(REMOTES.length + 1));
  const vlans = vids.map((vid) => ({ vid, untagged: false }));
  const tunnel = { name: TUNNEL, up: true, isolated: false, vlans, tunnel: { remotes, vnis } };
  return chance.shuffled([...locals, tunnel]);
}

function documentOf(ports: readonly StagePort[]): Record<string, unknown> {
  const bodies = ports.map(({ name, up, isolated, vlans, tunnel }) => [
    name,
    tunnel === null
      ? { type: 'tap', up, isolated, vlans }
      : {
          type: 'vxlan',
          local: '192.0.2.1',
          vlan_tunnel: true,
          vlans: vlans.map(({ vid }) => ({ vid, tunnel_info: tunnel.vnis[vid] })),
          remotes: tunnel.remotes,
        },
  ]);
  return { bridges: { br0: { vlan_filtering: true, mcast_snooping: false, ports: Object.fromEntries(bodies) } } };
}

/** A broadcast that enters somewhere; none where the port lets none in. */
function callOf(sw: MemorySwitch, chance: Chance, ports: readonly StagePort[]): Call[] {
  const { name: port, vlans, up, tunnel } = chance.oneOf(ports);
  const isClosed = !up || vlans.length === 0 || tunnel?.remotes.length === 0;
  if (isClosed) return [];
  const { vid: vlan } = chance.oneOf(vlans);
  const tag = tunnel === null ? `vlan ${vlan} ` : '';
  const bytes = bytesOf(`src 02:00:00:00:00:0a dst broadcast ${tag}type 0x88b5`);
  const outer = tunnel === null ? {} : { from: chance.oneOf(tunnel.remotes), vni: tunnel.vnis[vlan] as number };
  const truth = sw.trace({ port, frame: toHex(bytes), ...outer });
  const frame = { port, vlan };
  return [
    {
      args: [ports, frame],
      expected: textOf(truth.copies.filter(({ verdict }) => verdict === 'sent').map(sentText)),
      told: `flood(${JSON.stringify(ports)}, ${JSON.stringify(frame)})`,
      truth,
    },
  ];
}

const textOf = (copies: readonly string[]): string => (copies.length === 0 ? 'no copy' : [...copies].sort().join(', '));

function sentText({ port, remote, vni, tag }: TraceCopy): string {
  const to = remote === undefined ? '' : ` to ${remote} vni ${vni}`;
  return `${port}${to}${tag === undefined ? '' : ` tag ${tag}`}`;
}

/** undefined: it is no copy. */
function copyText(copy: unknown): string | undefined {
  if (typeof copy !== 'object' || copy === null) return undefined;
  const { port, tag, remote, vni } = copy as Record<string, unknown>;
  if (typeof port !== 'string' || (tag != null && typeof tag !== 'number')) return undefined;
  if (remote == null) return `${port}${tag == null ? '' : ` tag ${tag}`}`;
  if (typeof remote !== 'string' || typeof vni !== 'number') return undefined;
  return `${port} to ${remote} vni ${vni}${tag == null ? '' : ` tag ${tag}`}`;
}
