/**
 * Faults of ports, and their end: a TAP whose device or namespace has gone or is not there yet, a vxlan port whose underlay
 * device, local address or routes are not. The port's state says so, others do not notice, and what can be had is opened.
 *
 * An engine tells of a TAP that has gone at once; what it cannot see is looked for once a second, a part of the ports at a
 * time. Of ports that are down it is tried several times a second whether their devices can be had again.
 */

import type { SwitchEvent } from '../../api/api.js';
import { netnsExists } from '../../config/load.js';
import { netnsName } from '../../port/netns.js';
import { hostAddresses } from '../../port/process.js';
import { tapState } from '../../port/tap.js';
import { pathMtu, UnderlayError } from '../../port/underlay.js';
import { canonicalAddress } from '../../wire/ip-address.js';
import { NoticeLimit } from '../events/notice-limit.js';
import { attempt, caught, every } from '../guard.js';
import type { NicState, Port, SwitchModel, TapPort, VxlanPort } from '../model/model.js';

const LOOK_MS = 100;
/** A guest may rename its NIC as often as it likes: lines in the log, at once and then. */
const MOVE_LINES = 5;
const MOVE_LINE_MS = 60_000;
/** Looks in which all ports are visited once. */
const LOOKS = 10;
/** Looks from a try that failed, though all seemed to be there, to the next. */
const PAUSE = 2;
/** Remotes of a port that are asked for in one look: a port is at fault when none of them has a route. */
const ASKED = 32;
/** How a connect fails where no route leads (also routes of the kinds unreachable, prohibit and blackhole). */
const NO_ROUTE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL']);

/** What the watch asks of the machine. */
export interface Machine {
  /** The state of an underlay's device; null: it is not there; undefined: the kernel does not say, for the moment. */
  nic(ifname: string): { index: number; up: boolean } | null | undefined;
  /** The addresses of the switch's namespace, of devices that are up; undefined: the kernel does not say, for the moment. */
  addresses(): Set<string> | undefined;
  /** Whether a route leads to a remote. */
  isRouted(from: { local?: string; dev?: string }, remote: string): boolean;
  netnsExists(netns: string): boolean;
}

export interface PortWatchParts {
  model: SwitchModel;
  /** Opens devices anew. @returns why they cannot be had yet; null: they are there */
  renew(ports: string[]): Promise<string | null>;
  tell(event: SwitchEvent): void;
  /** For the log. */
  changed(port: string, fault: string | null): void;
  /** The NIC of a port is called otherwise, or in another namespace, than when it was seen last; for the log. */
  moved(port: string, nic: string, heldBack: number): void;
  /** The NIC of a host port has another MAC than the entries that stand for it. */
  macChanged(port: TapPort): void;
  /** A TAP has gone that no engine has told of. */
  lost(port: TapPort): void;
  /** The namespace has other addresses than before. */
  addressesChanged(): void;
  machine?: Machine;
}

export class PortWatch {
  private readonly timer: NodeJS.Timeout;
  private readonly machine: Machine;
  /** What is known of each NIC: of a guest whether it is up, of an underlay which device it is. */
  private readonly wasUp = new WeakMap<Port, boolean>();
  private readonly device = new WeakMap<VxlanPort, number>();
  /** What the NIC of each TAP is called, and where it is; and how often a change of it is told. */
  private readonly places = new WeakMap<TapPort, { nic: string; limit: NoticeLimit }>();
  /** The addresses of the namespace, as one text; null: not seen yet. */
  private addresses: string | null = null;
  private turn = 0;
  private isRenewing = false;

  constructor(private readonly parts: PortWatchParts) {
    this.machine = parts.machine ?? REAL;
    this.timer = every('port-watch', LOOK_MS, () => this.look());
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** One look: at a tenth of the ports, and at all that are down. */
  look(): Promise<void> {
    this.turn = (this.turn + 1) % LOOKS;
    const ports = [...this.parts.model.ports.values()];
    const here = ports.filter((port) => port.index % LOOKS === this.turn);
    const addresses = here.some(({ kind }) => kind === 'vxlan') ? this.machine.addresses() : undefined;
    if (addresses !== undefined && addresses.size > 0) attempt('port-watch', () => this.compare(addresses));
    for (const port of here) {
      // One port's trouble keeps none of the others from being looked at.
      attempt('port-watch', () => {
        if (port.kind === 'tap') this.lookAtTap(port);
        else this.lookAtUnderlay(port, addresses);
      });
    }
    return this.renewGone(ports);
  }

  private compare(addresses: ReadonlySet<string>): void {
    const text = [...addresses].sort().join(' ');
    if (this.addresses === text) return;
    this.addresses = text;
    // The first time, too: the configuration was read some time before.
    this.parts.addressesChanged();
  }

  private lookAtTap(port: TapPort): void {
    const { model, lost, tell } = this.parts;
    if (model.lost.has(port.index)) return;
    const nic = port.tap.state();
    if (nic === null) {
      lost(port);
      return;
    }
    this.lookWhere(port, nic);
    if (port.role !== 'guest' && port.ownMac !== nic.mac) this.parts.macChanged(port);
    // Whoever opened it has set it up.
    const before = this.wasUp.get(port) ?? true;
    this.wasUp.set(port, nic.up);
    if (before !== nic.up) tell(linkEvent(port, nic.up ? 'up' : 'down'));
  }

  private lookWhere(port: TapPort, { ifname, netns }: NicState): void {
    const nic = port.tap.hasMoved ? `${ifname} in netns ${netnsName(netns)}` : ifname;
    const seen = this.places.get(port) ?? { nic: port.tap.ifname, limit: newLimit() };
    this.places.set(port, seen);
    if (seen.nic !== nic) seen.limit.offer((heldBack) => this.parts.moved(port.name, nic, heldBack));
    seen.nic = nic;
  }

  private lookAtUnderlay(port: VxlanPort, addresses: ReadonlySet<string> | undefined): void {
    // One that waits for its device or address is looked at by trying.
    if (this.parts.model.lost.has(port.index)) return;
    const { local, dev } = port.config;
    const nic = dev === undefined ? undefined : this.machine.nic(dev);
    let fault: string | null = null;
    if (nic === null) fault = `there is no device ${dev}`;
    else if (nic?.up === false) fault = `the device ${dev} is down`;
    else if (local !== undefined && !isHere(local, addresses)) fault = `no device that is up has the address ${local}`;
    else if (!this.isRouted(port)) fault = 'there is no route to any of its remotes';
    // Sockets that were bound to a device which has gone stay deaf when another one of its name comes.
    const isOther = nic != null && this.device.has(port) && this.device.get(port) !== nic.index;
    if (nic != null && !isOther) this.device.set(port, nic.index);
    if (nic === null) this.device.set(port, 0);
    if (isOther) this.gone.add(port.name);
    this.setFault(port, fault);
  }

  /** Whether one of the port's remotes, at least, can be sent to; a port that has none yet waits for them. */
  private isRouted({ config: { local, dev }, vteps }: VxlanPort): boolean {
    const from = { ...(local === undefined ? {} : { local }), ...(dev === undefined ? {} : { dev }) };
    let asked = 0;
    for (const address of vteps.keys()) {
      if (this.machine.isRouted(from, address)) return true;
      if (++asked === ASKED) break;
    }
    return asked === 0;
  }

  /** vxlan ports whose sockets are deaf: the device is another one now. */
  private readonly gone = new Set<string>();
  /** Looks that go by before a port is tried again. */
  private readonly pauses = new WeakMap<Port, number>();

  private setFault(port: Port, fault: string | null): void {
    if (port.fault === fault) return;
    const wasDown = port.fault !== null;
    port.fault = fault;
    this.parts.changed(port.name, fault);
    if (wasDown !== (fault !== null)) this.parts.tell(linkEvent(port, fault === null ? 'up' : 'down'));
  }

  /** Opens again what can be had again. One after the other: each is a change of the switch. */
  private async renewGone(ports: readonly Port[]): Promise<void> {
    if (this.isRenewing) return;
    this.isRenewing = true;
    try {
      for (const port of ports) {
        try {
          await this.renewPort(port);
        } catch (error) {
          caught('port-watch', error); // the others are still tried
        }
      }
    } finally {
      this.isRenewing = false;
    }
  }

  private async renewPort(port: Port): Promise<void> {
    if (!this.mayBeBack(port)) return;
    const reason = await this.parts.renew([port.name]);
    const { model, changed, tell } = this.parts;
    if (reason !== null) {
      this.pauses.set(port, PAUSE);
      if (model.lost.has(port.index)) this.setFault(port, reason);
      return;
    }
    this.gone.delete(port.name);
    changed(port.name, null);
    tell(linkEvent(model.ports.get(port.name) ?? port, 'up'));
  }

  private mayBeBack(port: Port): boolean {
    const pause = this.pauses.get(port) ?? 0;
    this.pauses.set(port, Math.max(0, pause - 1));
    if (pause > 0) return false;
    const { machine } = this;
    // It may have ended while another one was renewed.
    if (this.parts.model.ports.get(port.name) !== port) return false;
    if (port.kind === 'vxlan' && this.gone.has(port.name)) return true;
    if (!this.parts.model.lost.has(port.index)) return false;
    if (port.kind === 'tap') return port.config.netns === undefined || machine.netnsExists(port.config.netns);
    const { dev, local } = port.config;
    return (
      (dev === undefined || machine.nic(dev) !== null) && (local === undefined || isHere(local, machine.addresses()))
    );
  }
}

function newLimit(): NoticeLimit {
  return new NoticeLimit(MOVE_LINES, MOVE_LINE_MS, () => performance.now());
}

function linkEvent(port: Port, change: 'up' | 'down'): SwitchEvent {
  const master = port.bridge === null ? {} : { master: port.bridge.name };
  return { event: 'link', ifname: port.name, type: port.kind, change, ...master };
}

/** Any address of the loopback network is the host's. */
function isHere(local: string, addresses: ReadonlySet<string> | undefined): boolean {
  return addresses === undefined || addresses.has(local) || local.startsWith('127.');
}

const REAL: Machine = {
  nic(ifname) {
    try {
      return tapState(ifname);
    } catch {
      return undefined;
    }
  },
  netnsExists,
  isRouted(from, remote) {
    try {
      pathMtu({ ...from, remote });
      return true;
    } catch (error) {
      return !(error instanceof UnderlayError && NO_ROUTE.has(error.code));
    }
  },
  addresses() {
    try {
      const up = hostAddresses().filter((one) => one.up);
      return new Set(up.map(({ address }) => canonicalAddress(address)));
    } catch {
      return undefined;
    }
  },
};
