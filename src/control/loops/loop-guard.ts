/**
 * Loop guard: finds loops through a bridge by probes of its own, and blocks one local port of each. A state machine with an injected
 * clock; engines recognise probes, drop them, and pass them on to `hear`.
 *
 * Probes are sent only where a loop shows itself (`suspicions.ts`), out of every port of the VLAN, ten times a second for a second;
 * and out of a blocked port and the other end of its loop, to see whether the loop is still there. While MACs move in many VLANs, the
 * ports between which they move come first, and share the room of a tick (`probe-turns.ts`).
 *
 * Which port is blocked: of the one that the probe left by and the one that it came back by, never a tunnel; rather a guest's port
 * than one whose network others share; else the one that it came back by. So a guest that sends a probe back blocks its own port: it
 * has only probes that were sent to it. After a while without a probe the port is opened again. The time is drawn at random and grows
 * with each relapse, so that of two switches which have blocked both ends of one cable one opens first, and sees the loop.
 */
import type { OwnFrame } from '../../dataplane/send.js';
import type { Punt } from '../../dataplane/state/punt-ring.js';
import { type BridgeModel, isHostPort, isTunnel, type Port, type SwitchModel } from '../model/model.js';
import { kindOf } from '../ports/registry.js';
import type { PortClosing } from './port-closing.js';
import { ProbeMint } from './probe-mint.js';
import { type Place, ProbeTurns } from './probe-turns.js';
import { Suspicions } from './suspicions.js';

export const GUARD_TICK_MS = 100;
/** Ticks between two probes of a tunnel, whose copies are many. */
const TUNNEL_TICKS = 5;
/** Ticks between two probes of a blocked port and of the other end of its loop. */
const BLOCKED_TICKS = 2;
/** VLANs in a tick that are probed out of all of their ports; of the others, those between which MACs move. */
const WHOLE_VLANS = 16;
/** Before every place in which MACs move. */
const BLOCKED_WEIGHT = Number.MAX_SAFE_INTEGER;
/** Least time between two ports of a bridge that open: the second sees by then whether the first is enough for a loop. */
const OPEN_APART_MS = 1000;
/** Least time without a probe after which a port is opened; up to twice as long, and doubled with each relapse. */
const HOLD_MS = 3000;
const MOST_DOUBLINGS = 6;
/** A port that is blocked again this soon after it was opened has a relapse. */
const RELAPSE_MS = 60_000;
const MOST_REMEMBERED = 1024;

/** A loop, by names. */
export interface Loop {
  bridge: string;
  /** The blocked port. */
  port: string;
  /** The other port that the loop goes through; the same, where it is behind one port. */
  with: string;
  /** 0 in a bridge without VLAN filtering. */
  vid: number;
  /** Milliseconds since 1970. */
  since: number;
}

interface Blocked {
  port: Port;
  bridge: BridgeModel;
  other: Port;
  vid: number;
  since: number;
  /** When its loop was last seen, and for how long it is not to be seen before the port is opened. */
  seenAt: number;
  holdMs: number;
}

export interface LoopGuardParts {
  model: SwitchModel;
  closing: PortClosing;
  send(frames: readonly OwnFrame[]): void;
  /** Floods of the switch since its start. */
  floods(): number;
  /** What was learned by the loop is wrong: behind the port, and in its VLAN. */
  forget(port: Port, bridge: BridgeModel, vid: number): void;
  found(loop: Loop): void;
  /** The port is open again. */
  gone(loop: Loop): void;
  /** A monotonic clock in milliseconds. */
  now(): number;
  /** At least 0, less than 1. */
  random(): number;
}

export class LoopGuard {
  private readonly mint = new ProbeMint();
  private readonly suspicions = new Suspicions();
  private readonly blocked = new Map<Port, Blocked>();
  /** By name of a port: relapses so far, and until when the next one counts. */
  private readonly relapses = new Map<string, { times: number; until: number }>();
  /** When a port of a bridge was opened last. */
  private readonly openedIn = new WeakMap<BridgeModel, number>();
  private readonly turns = new ProbeTurns();
  private ticks = 0;

  constructor(private readonly parts: LoopGuardParts) {}

  /** A MAC has moved between ports of a bridge, given by index. */
  moved(index: number, vid: number, ports: readonly number[]): void {
    const bridge = this.parts.model.bridgeAt[index];
    if (bridge !== undefined && isGuarded(bridge)) this.suspicions.moved(bridge, vid, ports, this.parts.now());
  }

  /** Called every GUARD_TICK_MS. */
  tick(): void {
    const { floods, now, send } = this.parts;
    const time = now();
    this.ticks++;
    this.suspicions.flooded(floods(), time);
    this.reopen(time);
    const chosen = this.turns.share([...this.ofBlocked(), ...this.ofSuspicions(time)]);
    if (chosen.length === 0) return;
    this.mint.keep((port) => this.parts.model.ports.get(port.name) === port);
    send(chosen.map(({ port, bridge, vid }) => this.probe(port, bridge, vid, time)));
  }

  private probe(port: Port, bridge: BridgeModel, vid: number, time: number): OwnFrame {
    return { port: port.index, vid, bytes: this.mint.make(port, bridge, vid, Math.floor(time / GUARD_TICK_MS)) };
  }

  private ofBlocked(): Place[] {
    if (this.ticks % BLOCKED_TICKS !== 0) return [];
    return [...this.blocked.values()].flatMap(({ port, other, bridge, vid }) =>
      (port === other ? [port] : [port, other]).map((end) => ({ port: end, bridge, vid, weight: BLOCKED_WEIGHT })),
    );
  }

  private ofSuspicions(time: number): Place[] {
    if (this.suspicions.isEverywhere(time)) return this.everywhere();
    const places: Place[] = [];
    const suspicions = this.suspicions.places(time).filter(({ bridge }) => isGuarded(bridge));
    for (const { bridge, vid, ports, moves } of suspicions) {
      for (const index of ports) {
        const port = this.parts.model.portAt[index];
        if (port?.bridge !== bridge || !this.mayProbe(port, bridge, vid)) continue;
        places.push({ port, bridge, vid, weight: moves });
      }
    }
    // What passes a loop in one direction only is not heard at the port that it leaves by.
    const from = suspicions.length > WHOLE_VLANS ? (this.ticks * WHOLE_VLANS) % suspicions.length : 0;
    for (const { bridge, vid, ports } of suspicions.slice(from, from + WHOLE_VLANS)) {
      for (const port of bridge.ports) {
        if (!ports.includes(port.index) && this.mayProbe(port, bridge, vid))
          places.push({ port, bridge, vid, weight: 0 });
      }
    }
    return places;
  }

  /** Every port of the guarded bridges, in one of its VLANs, another one each time. */
  private everywhere(): Place[] {
    return [...this.parts.model.bridges.values()].filter(isGuarded).flatMap((bridge) =>
      bridge.ports.flatMap((port) => {
        const vids = bridge.config.vlan_filtering ? [...port.vlans.keys()] : [0];
        const vid = vids[this.ticks % Math.max(1, vids.length)];
        return vid === undefined || !this.mayProbe(port, bridge, vid) ? [] : [{ port, bridge, vid, weight: 0 }];
      }),
    );
  }

  private mayProbe(port: Port, { config }: BridgeModel, vid: number): boolean {
    if (this.parts.model.lost.has(port.index) || !port.config.up) return false;
    if (isTunnel(port) && this.ticks % TUNNEL_TICKS !== 0) return false;
    return !config.vlan_filtering || port.vlans.has(vid);
  }

  /** A probe that an engine recognised as one of the bridge that it came back to. */
  hear({ port: index, vid, bytes }: Punt): void {
    const { model, now } = this.parts;
    const heardAt = model.portAt[index];
    const bridge = heardAt?.bridge;
    if (heardAt === undefined || !bridge || !isGuarded(bridge)) return;
    const probe = this.mint.read(bytes, bridge, Math.floor(now() / GUARD_TICK_MS));
    if (probe === null || probe.vid !== vid || probe.port.bridge !== bridge) return;
    this.meet(probe.port, heardAt, bridge, vid);
  }

  /** A probe has gone from one port of the bridge to another, outside. */
  private meet(sent: Port, heard: Port, bridge: BridgeModel, vid: number): void {
    // Remotes that send a frame of the tunnel back: split horizon keeps it from going round.
    if (isTunnel(sent) && isTunnel(heard)) return;
    const known = this.blocked.get(sent) ?? this.blocked.get(heard);
    if (known === undefined) {
      this.block(this.choose(sent, heard), sent, heard, bridge, vid);
      return;
    }
    const other = known.port === sent ? heard : sent;
    // Two blocked ends say nothing about a loop: one of them has to open.
    if (other !== known.port && this.blocked.has(other)) return;
    known.seenAt = this.parts.now();
    known.other = other;
  }

  private choose(sent: Port, heard: Port): Port {
    return rank(sent) < rank(heard) ? sent : heard;
  }

  private block(port: Port, sent: Port, heard: Port, bridge: BridgeModel, vid: number): void {
    const { closing, forget, found, now, random } = this.parts;
    const time = now();
    const before = this.relapses.get(port.name);
    const times = before !== undefined && time < before.until ? before.times + 1 : 0;
    this.remember(port.name, times, Number.POSITIVE_INFINITY);
    const holdMs = HOLD_MS * 2 ** Math.min(times, MOST_DOUBLINGS) * (1 + random());
    const other = port === sent ? heard : sent;
    const blocked: Blocked = { port, bridge, other, vid, since: Date.now(), seenAt: time, holdMs };
    this.blocked.set(port, blocked);
    closing.setBlocked(port.index, true);
    forget(port, bridge, vid);
    found(factsOf(blocked));
  }

  private remember(name: string, times: number, until: number): void {
    this.relapses.delete(name);
    this.relapses.set(name, { times, until });
    if (this.relapses.size > MOST_REMEMBERED) this.relapses.delete(this.relapses.keys().next().value as string);
  }

  private reopen(time: number): void {
    for (const blocked of [...this.blocked.values()]) {
      const { port, bridge, seenAt, holdMs } = blocked;
      const isSame = this.parts.model.ports.get(port.name) === port && port.bridge === bridge && isGuarded(bridge);
      const isEarly = time - seenAt < holdMs || time - (this.openedIn.get(bridge) ?? -OPEN_APART_MS) < OPEN_APART_MS;
      if (isSame && isEarly) continue;
      if (isSame) this.openedIn.set(bridge, time);
      this.blocked.delete(port);
      this.remember(port.name, this.relapses.get(port.name)?.times ?? 0, time + RELAPSE_MS);
      // A new port may have the index by now, and may be blocked itself.
      const isTaken = [...this.blocked.values()].some((one) => one.port.index === port.index);
      if (!isTaken) this.parts.closing.setBlocked(port.index, false);
      this.parts.gone(factsOf(blocked));
    }
  }

  /** The ports that are blocked. */
  loops(): Loop[] {
    return [...this.blocked.values()].map(factsOf);
  }

  /** Blocks ports that the switch before this one had blocked; they are opened as any others. */
  restore(loops: readonly Loop[]): void {
    for (const { port: name, with: otherName, vid, since } of loops) {
      const [port, other] = [this.parts.model.ports.get(name), this.parts.model.ports.get(otherName)];
      const bridge = port?.bridge;
      if (port === undefined || isTunnel(port) || !bridge || !isGuarded(bridge) || this.blocked.has(port)) continue;
      const end = other?.bridge === bridge ? other : port;
      const times = { since, seenAt: this.parts.now(), holdMs: HOLD_MS * (1 + this.parts.random()) };
      this.blocked.set(port, { port, bridge, other: end, vid, ...times });
      this.parts.closing.setBlocked(port.index, true);
    }
  }
}

function isGuarded({ config }: BridgeModel): boolean {
  return config.loop_guard && !config.xconnect && config.up;
}

/** The port of the lower rank is blocked. */
function rank(port: Port): number {
  if (isTunnel(port)) return 3;
  if (isHostPort(port)) return 2;
  return kindOf(port).isShared === true ? 1 : 0;
}

function factsOf({ port, bridge, other, vid, since }: Blocked): Loop {
  return { bridge: bridge.name, port: port.name, with: other.name, vid, since };
}
