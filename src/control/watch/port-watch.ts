/**
 * Faults of ports, and their end: a TAP whose device or namespace has gone or is not there yet, a vxlan port whose underlay
 * device, local address or routes are not. The port's state says so, others do not notice, and what can be had is opened.
 *
 * An engine tells of a TAP that has gone at once; what it cannot see is looked for once a second, a part of the ports at a
 * time. Of ports that are down it is tried several times a second whether their devices can be had again.
 */

import type { SwitchEvent } from '../../api/api.js';
import { netnsExists } from '../../config/load.js';
import { hostAddresses } from '../../port/process.js';
import { tapState } from '../../port/tap.js';
import { pathMtu, UnderlayError } from '../../port/underlay.js';
import { canonicalAddress } from '../../wire/ip-address.js';
import { NoticeLimit } from '../events/notice-limit.js';
import { attempt, caught, every } from '../guard.js';
import { isTunnel, type Port, type SwitchModel, type TapPort } from '../model/model.js';
import { linkEvent } from '../ports/link-event.js';
import type { Look, Machine } from '../ports/port-kind.js';
import { kindOf } from '../ports/registry.js';

const LOOK_MS = 100;
/** A guest may rename its NIC as often as it likes: lines in the log, at once and then. */
const MOVE_LINES = 5;
const MOVE_LINE_MS = 60_000;
/** Looks in which all ports are visited once. */
const LOOKS = 10;
/** Looks from a try that failed, though all seemed to be there, to the next. */
const PAUSE = 2;
/** How a connect fails where no route leads (also routes of the kinds unreachable, prohibit and blackhole). */
const NO_ROUTE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL']);

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
  /** What the kinds of ports remember of a port, from look to look. */
  private readonly memories = new WeakMap<Port, Record<string, unknown>>();
  /** How often it is told that the NIC of a port was renamed or moved. */
  private readonly moves = new WeakMap<Port, NoticeLimit>();
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
    const addresses = here.some(isTunnel) ? this.machine.addresses() : undefined;
    if (addresses !== undefined && addresses.size > 0) attempt('port-watch', () => this.compare(addresses));
    const look = this.lookWith(() => addresses);
    for (const port of here) {
      // A port without its device is looked at by trying to open that.
      if (this.parts.model.lost.has(port.index)) continue;
      // A fault of one port does not keep the others from being looked at.
      attempt('port-watch', () => kindOf(port).watch(port, look));
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

  private lookWith(addresses: () => Set<string> | undefined): Look {
    const { tell, macChanged, lost, moved } = this.parts;
    return {
      machine: this.machine,
      addresses,
      tell,
      macChanged,
      lost,
      memory: (port) => remembered(this.memories, port, () => ({})),
      moved: (port, nic) => remembered(this.moves, port, newLimit).offer((heldBack) => moved(port.name, nic, heldBack)),
      setFault: (port, fault) => this.setFault(port, fault),
      renew: (port) => void this.gone.add(port.name),
    };
  }

  /** Ports whose devices have to be opened anew, by name, though they have them. */
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
    // It may have ended while another one was renewed.
    if (this.parts.model.ports.get(port.name) !== port) return false;
    if (this.gone.has(port.name)) return true;
    return this.parts.model.lost.has(port.index) && kindOf(port).mayReturn(port, this.machine);
  }
}

function remembered<T>(memory: WeakMap<Port, T>, port: Port, make: () => T): T {
  const known = memory.get(port) ?? make();
  memory.set(port, known);
  return known;
}

function newLimit(): NoticeLimit {
  return new NoticeLimit(MOVE_LINES, MOVE_LINE_MS, () => performance.now());
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
