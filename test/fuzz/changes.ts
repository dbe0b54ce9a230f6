/**
 * Changes by the control thread during fuzzing: ports are added, deleted and change flags, path MTUs drop, bindings and entries
 * are added and flushed, devices fail. Bystanders are not touched.
 */

import { destinationOf, GROUP_REMOTES, NEXTHOP_BUCKETS } from '../../src/dataplane/state/destination.js';
import { fidOf } from '../../src/dataplane/state/fid.js';
import type { Operation } from '../../src/dataplane/operations/operations.js';
import {
  ANY_VTEP,
  DROP_RESERVED_BITS,
  ISOLATED,
  KEEP_INNER_VLAN,
  L2MISS,
  L3MISS,
  LAYER3,
  NEIGH_SUPPRESS,
  PROXY,
  RSC,
  UP,
} from '../../src/dataplane/state/forwarding.js';
import { FLAG_PINNED, FLAG_STATIC } from '../../src/fdb/table.js';
import { STATIC_REMOTES } from '../../src/encap/remotes.js';
import { parseAddress } from '../../src/wire/ip-address.js';
import { flagsOf } from '../dataplane/support/specs.js';
import type { FuzzedSwitch } from './fuzzed-switch.js';
import { BRIDGES, CALM_VTEP, FURTHER_FLAGS, GATEWAYS, GUARDED, PASSING } from './layout.js';
import { NOISY_ROUTES, noisyRoute } from './noisy-routes.js';
import type { Random } from './random.js';
import { HOSTS4, HOSTS6 } from './samples.js';

/** Most of the time a device works. */
const ERRNOS = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 11, 22, 90, 105];
const MTUS = [0, 0, 68, 100, 576, 1280, 1450, 1500, 9000];
const TUNNEL_FLAGS = [NEIGH_SUPPRESS, PROXY, L2MISS, L3MISS, ANY_VTEP, DROP_RESERVED_BITS, KEEP_INNER_VLAN, UP];
const BRIDGE_NAMES = ['br0', 'br1', 'br2'];

export class Changes {
  private forgetful: number[] = [];
  private readonly all: (() => readonly Operation[])[];

  constructor(
    private readonly random: Random,
    private readonly sw: FuzzedSwitch,
  ) {
    this.all = [
      () => this.passingPort(),
      () => this.flags(),
      () => this.pathMtu(),
      () => this.binding(),
      () => [{ op: 'neigh-flush', bridge: this.bridge(), learnedOnly: random.once(2) }],
      () => this.entry(),
      () => this.snooping(),
      () => this.faults(),
      () => this.membership(),
      () => this.settings(),
      () => this.senders(),
      () => this.loss(),
      () => this.nexthops(),
      () => this.backup(),
      () => this.gateway(),
      () => this.faults(),
    ];
  }

  /** Makes one change. @returns ports that have forgotten the VTEPs that they had met */
  make(): number[] {
    this.forgetful = [];
    this.sw.apply(this.random.pick(this.all)());
    return this.forgetful;
  }

  private bridge(): number {
    return this.sw.topology.bridgeNumber(this.random.pick(BRIDGE_NAMES));
  }

  private noisyPort(): string {
    const left = [...GUARDED, ...GATEWAYS, 'loose'];
    const names = [...this.sw.topology.ports.keys()].filter((name) => !left.includes(name));
    return this.random.pick(names);
  }

  private passingPort(): Operation[] {
    const { topology } = this.sw;
    const name = this.random.pick(Object.keys(PASSING));
    const { bridge, spec } = PASSING[name];
    if (topology.ports.has(name)) return topology.removePort(name);
    return topology.addPort(bridge, name, spec);
  }

  /** Some flags of a port other than they were, or as they were at first. The bystanders share `tunnel`: it forwards always. */
  private flags(): Operation[] {
    const { random, sw } = this;
    const name = this.noisyPort();
    const { number, spec } = sw.topology.port(name);
    let further = FURTHER_FLAGS[name] ?? 0;
    if (random.once(2)) {
      if (name === 'single' && random.once(3)) further ^= RSC;
      else if (spec.type === 'vxlan' && name !== 'tunnel') further ^= random.pick(TUNNEL_FLAGS);
      else if (spec.type === 'tap') further ^= random.pick([ISOLATED, NEIGH_SUPPRESS]);
    }
    const operation = sw.withFlags(name, further);
    if ((flagsOf(spec) & ANY_VTEP & ~operation.flags) !== 0) this.forgetful.push(number);
    return [operation];
  }

  private pathMtu(): Operation[] {
    const { random, sw } = this;
    const remotes = [...sw.topology.ports.values()].flatMap(({ remotes: own }) => [...own.values()]);
    const calm = sw.topology.port('tunnel').remotes.get(`${CALM_VTEP} 4789`);
    const remote = random.once(4) ? STATIC_REMOTES + random.below(20) : random.pick(remotes);
    return remote === calm ? [] : [{ op: 'remote-mtu', remote, mtu: random.pick(MTUS) }];
  }

  private binding(): Operation[] {
    const { random, sw } = this;
    const address = parseAddress(random.pick(random.once(2) ? HOSTS4 : HOSTS6))?.words ?? [];
    const name = random.once(2) ? 'single' : this.noisyPort();
    const { bridge: bridgeName, number: port } = sw.topology.port(name);
    const bridge = sw.topology.bridgeNumber(bridgeName);
    const vid = bridgeName === 'br0' ? 2 + random.below(2) : 0;
    const place = { bridge, vid, address: [...address] };
    if (random.once(3)) return [{ op: 'neigh-del', ...place }];
    // B is the router that most samples are for.
    const router = random.once(2);
    const low = router ? 0x0b : 0x00010000 | random.below(24);
    return [{ op: 'neigh', ...place, high: 0x0200, low, router, port }];
  }

  private entry(): Operation[] {
    const { random, sw } = this;
    const name = this.noisyPort();
    const { number: owner, bridge } = sw.topology.port(name);
    // A bystander's entry is among those of `tunnel`.
    if (name !== 'tunnel' && random.once(3))
      return [{ op: 'flush', match: { owner }, fromRow: 0, rowCount: 0x7fffffff }];
    const mac = `02:00:00:01:00:${random.below(24).toString(16).padStart(2, '0')}`;
    const entry = { mac, vlan: bridge === 'br0' ? 2 + random.below(2) : 0 };
    if (random.once(2)) return [sw.topology.removeEntry(name, entry)];
    return [sw.topology.entry(name, entry)];
  }

  private snooping(): Operation[] {
    const { random, sw } = this;
    const name = random.pick(['br0', 'br2']);
    return [sw.topology.bridge(name, { ...BRIDGES[name], snooping: !random.once(4) })];
  }

  private membership(): Operation[] {
    const { topology } = this.sw;
    const has = topology.port('trunk').counters.has(3);
    return has ? topology.removeVlan('trunk', 3) : topology.vlans('trunk', ['3']);
  }

  /** A passing port moves to another bridge, or into another VNI. */
  private settings(): Operation[] {
    const { random, sw } = this;
    const name = random.pick(Object.keys(PASSING));
    if (!sw.topology.ports.has(name)) return [];
    const { spec } = PASSING[name];
    const other = spec.type === 'tap' ? spec : { ...spec, vni: 46 + random.below(3), tos: random.pick([0, -1, 0xfc]) };
    return sw.topology.setPort(name, random.pick(BRIDGE_NAMES), other);
  }

  private senders(): Operation[] {
    return this.sw.topology.setSenders(this.random.pick(['wide', 'six', 'single']), this.random.pick([1, 2, 4, 8]));
  }

  /** A group of nexthops changes, and an entry leads to it: to remotes, to none, or to a group that was never told. */
  private nexthops(): Operation[] {
    const { random, sw } = this;
    const group = random.below(4);
    const { number: owner, bridge, remotes: own, spec } = sw.topology.port(random.pick(['wide', 'six', 'single']));
    // Those of its list stay: the others go with their entries.
    const listed = spec.type === 'vxlan' ? (spec.remotes ?? []) : [];
    const remotes = [...own].flatMap(([key, remote]) => (listed.includes(key.split(' ')[0]) ? [remote] : []));
    const chosen = Array.from({ length: NEXTHOP_BUCKETS }, () => remotes[random.below(remotes.length)]);
    const fid = fidOf(sw.topology.bridgeNumber(bridge), bridge === 'br0' ? 2 + random.below(2) : 0);
    const place = { high: 0x0200, low: 0x00010000 | random.below(24), fid, owner };
    const destination = destinationOf(owner, GROUP_REMOTES + random.below(5));
    return [
      { op: 'nexthop', group, remotes: remotes.length === 0 || random.once(4) ? [] : chosen },
      random.once(3)
        ? { op: 'fdb-del', ...place }
        : { op: 'fdb', ...place, destination, flags: FLAG_STATIC | FLAG_PINNED },
    ];
  }

  private backup(): Operation[] {
    const { random, sw } = this;
    const port = sw.topology.port(this.noisyPort()).number;
    // The bystanders share `tunnel`.
    const name = this.noisyPort();
    const backup = random.once(3) || name === 'tunnel' ? null : sw.topology.port(name).number;
    return [{ op: 'backup', port, backup, remote: random.once(2) ? 0 : GROUP_REMOTES + random.below(5) }];
  }

  /** A gateway of noise goes down, comes up, or has another MTU; or a route changes. */
  private gateway(): Operation[] {
    const { random, sw } = this;
    if (random.once(2)) return [noisyRoute(sw.topology, random.pick(NOISY_ROUTES), random.once(3))];
    const { bridge, number: port } = sw.topology.port(random.pick(['gw2', 'gw3']));
    const flags = LAYER3 | (random.once(3) ? 0 : UP);
    return [{ op: 'port', port, bridge: sw.topology.bridgeNumber(bridge), flags, mtu: random.pick([600, 1450, 1450]) }];
  }

  /** The device of a port goes: it stays down until it is made anew. */
  private loss(): Operation[] {
    const port = this.sw.topology.ports.get('passing-tap');
    if (port !== undefined) for (const io of this.sw.ios) io.lose(port.number, 77);
    return [];
  }

  /** Devices that fail, and come back. */
  private faults(): Operation[] {
    const { random, sw } = this;
    const port = sw.topology.port(this.noisyPort());
    for (const io of sw.ios) {
      io.tapFaults[port.number] = random.pick(ERRNOS);
      for (const [key, remote] of port.remotes) {
        if (key !== `${CALM_VTEP} 4789`) io.remoteFaults[remote] = random.pick(ERRNOS);
      }
    }
    return [];
  }
}
