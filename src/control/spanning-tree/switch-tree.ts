/**
 * The spanning tree of one bridge of the switch: keeps the machines in line with the configuration, and carries out what they say.
 */
import { OPEN, STP_DISCARDING, STP_LEARNING } from '../../dataplane/state/port-states.js';
import type { OwnFrame } from '../../dataplane/send.js';
import { decodeBpdu } from '../../wire/bpdu.js';
import type { PortClosing } from '../loops/port-closing.js';
import type { BridgeModel, Port, SwitchModel } from '../model/model.js';
import {
  admit,
  createMember,
  frameOf,
  isUsable,
  type Member,
  MOST_MEMBERS,
  refill,
  settingsOf,
  takesPart,
} from './member.js';
import { addPort, createBridge, type Forwarding, type TreeBridge, type TreeEffects, type TreePort } from './state.js';
import { passTime, receive, removePort, reselect, settle } from './tree.js';

const CENTISECOND = 10;
const SECOND = 1000;
/** Least forward delay of a tree, as the kernel has it (BR_MIN_FORWARD_DELAY). */
const LEAST_DELAY = 200;

const STATES = { discarding: STP_DISCARDING, learning: STP_LEARNING, forwarding: OPEN } as const;

export interface SwitchTreeParts {
  model: SwitchModel;
  closing: PortClosing;
  macOf(bridge: string): string;
  send(frame: OwnFrame): void;
  /** The state of a port in the tree has changed. */
  state(member: Member): void;
  /** `bpdu_guard` has closed a port. */
  guarded(member: Member): void;
  /** Forwarding state has changed: a topology change begins at the port, or is heard there. */
  changed(member: Member): void;
  /** `fastAgeing` of the bridge has changed. */
  ageing(bridge: BridgeModel): void;
}

export class SwitchTree {
  readonly tree: TreeBridge;
  readonly members = new Map<Port, Member>();
  /** When its topology changed last, as of the tree's clock; null: never. */
  changedAt: number | null = null;
  changes = 0;
  private readonly effects: TreeEffects;
  private clock = 0;
  /** Until when entries age fast. */
  private slowUntil = 0;
  private isTouched = false;

  constructor(
    readonly bridge: BridgeModel,
    private readonly parts: SwitchTreeParts,
  ) {
    const { config } = bridge;
    this.tree = createBridge(this.identifier(), timesOf(bridge), config.stp_version === 'rstp');
    this.effects = {
      send: (at, bpdu) => parts.send(frameOf(this.of(at), this.tree.id, bpdu)),
      flush: (at, isSlow) => this.flush(this.of(at), isSlow),
      state: (at, state) => this.setState(this.of(at), state),
      changed: (at) => {
        this.changes++;
        this.changedAt = this.clock;
        parts.changed(this.of(at));
      },
    };
  }

  private of(at: TreePort): Member {
    for (const member of this.members.values()) if (member.at === at) return member;
    throw new Error(`port ${at.id} of ${this.bridge.name} is no member of its tree`);
  }

  /** Seconds since the topology changed last; null: never. */
  get sinceChange(): number | null {
    return this.changedAt === null ? null : Math.floor((this.clock - this.changedAt) / SECOND);
  }

  private identifier(): string {
    const { config, name } = this.bridge;
    const mac = (config.mac ?? this.parts.macOf(name)).replaceAll(':', '').toLowerCase();
    return config.priority.toString(16).padStart(4, '0') + mac;
  }

  /** Follows the configuration. @returns the ports that left the tree */
  follow(): Port[] {
    const { bridge, members, tree } = this;
    const left: Port[] = [];
    for (const [port, member] of members) {
      if (port.bridge === bridge && this.parts.model.ports.get(port.name) === port && takesPart(port)) continue;
      members.delete(port);
      removePort(tree, member.at);
      left.push(port);
      this.isTouched = true;
    }
    this.followBridge();
    for (const port of bridge.ports) if (!members.has(port) && takesPart(port)) this.join(port);
    this.followPorts();
    return left;
  }

  private followBridge(): void {
    const { tree } = this;
    const [id, times] = [this.identifier(), timesOf(this.bridge)];
    if (tree.id === id && JSON.stringify(tree.times) === JSON.stringify({ ...times, messageAge: 0 })) return;
    tree.id = id;
    tree.times = { ...times, messageAge: 0 };
    reselect(tree);
    this.isTouched = true;
  }

  private join(port: Port): void {
    const taken = new Set([...this.members.values()].map(({ number }) => number));
    let number = 1;
    while (taken.has(number)) number++;
    // More than the ports that there can be.
    if (number > MOST_MEMBERS) return;
    const at = addPort(this.tree, settingsOf(port, number, false));
    const member = createMember(port, at, number);
    this.members.set(port, member);
    this.parts.closing.setTree(port.index, STP_DISCARDING);
    reselect(this.tree);
    this.isTouched = true;
  }

  /** Settings of ports, and whether their devices are there. */
  followPorts(): void {
    for (const member of this.members.values()) {
      const { at, number, port } = member;
      const isThere = isUsable(port, this.parts.model);
      if (!isThere || !port.config.bpdu_guard) member.isGuarded = false;
      const settings = settingsOf(port, number, isThere && !member.isGuarded);
      if (!(Object.keys(settings) as (keyof typeof settings)[]).some((key) => settings[key] !== at[key])) continue;
      Object.assign(at, settings);
      reselect(this.tree);
      this.isTouched = true;
    }
  }

  /** A frame to the address of bridges has come. */
  hear(port: Port, frame: Uint8Array): void {
    const member = this.members.get(port);
    if (member === undefined || !member.at.enabled || !admit(member)) return;
    const bpdu = decodeBpdu(frame);
    if (bpdu === null) {
      member.counts.skipped++;
      return;
    }
    this.isTouched = true;
    if (port.config.bpdu_guard) {
      member.isGuarded = true;
      this.parts.guarded(member);
      this.followPorts();
    } else if (!receive(this.tree, member.at, bpdu, this.effects)) member.counts.skipped++;
  }

  /** Time has passed. */
  pass(ms: number): void {
    this.clock += ms;
    for (const member of this.members.values()) refill(member, ms);
    if (passTime(this.tree, ms)) this.isTouched = true;
    if (this.bridge.fastAgeing === undefined || this.clock < this.slowUntil) return;
    delete this.bridge.fastAgeing;
    this.parts.ageing(this.bridge);
  }

  /** Lets the machines run, if anything has happened. */
  settle(): void {
    if (!this.isTouched) return;
    this.isTouched = false;
    settle(this.tree, this.effects);
  }

  private setState(member: Member, state: Forwarding): void {
    this.parts.closing.setTree(member.port.index, STATES[state]);
    this.parts.state(member);
  }

  /** The port goes on in the state that it had in the process before. */
  adopt(member: Member): void {
    const { forwarding, learning } = member.at;
    this.parts.closing.setTree(
      member.port.index,
      STATES[forwarding ? 'forwarding' : learning ? 'learning' : 'discarding'],
    );
    reselect(this.tree);
    this.isTouched = true;
  }

  private flush(member: Member, isSlow: boolean): void {
    if (!isSlow) {
      member.isToFlush = true;
      return;
    }
    const { forwardDelay, maxAge } = this.tree.rootTimes;
    this.slowUntil = this.clock + maxAge + forwardDelay;
    const seconds = forwardDelay / SECOND;
    if (this.bridge.fastAgeing === seconds) return;
    this.bridge.fastAgeing = seconds;
    this.parts.ageing(this.bridge);
  }

  /** The bridge has no tree any more. @returns its ports */
  end(): Port[] {
    if (this.bridge.fastAgeing !== undefined) {
      delete this.bridge.fastAgeing;
      if (this.parts.model.bridges.get(this.bridge.name) === this.bridge) this.parts.ageing(this.bridge);
    }
    return [...this.members.keys()];
  }
}

function timesOf({ config }: BridgeModel) {
  return {
    maxAge: config.max_age * CENTISECOND,
    helloTime: config.hello_time * CENTISECOND,
    forwardDelay: Math.max(LEAST_DELAY, config.forward_delay) * CENTISECOND,
  };
}
