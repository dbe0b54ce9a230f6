/**
 * Detects faults of ports and their end: a TAP whose device or namespace is missing, a vxlan port whose underlay device, local
 * address or routes are missing. The port's state shows the fault, other ports are unaffected, and devices are opened when
 * available.
 *
 * Engines report a vanished TAP at once; other faults are found by polling a part of the ports once a second. Ports that are
 * down are retried several times a second.
 */

import type { SwitchEvent } from '../../api/api.js';
import { netnsExists } from '../../config/load.js';
import { hostAddresses } from '../../port/process.js';
import { tapState } from '../../port/tap.js';
import { pathMtu, UnderlayError, vrfOf } from '../../port/underlay.js';
import { canonicalAddress } from '../../wire/ip-address.js';
import { NoticeLimit } from '../events/notice-limit.js';
import { attempt, caught, every } from '../guard.js';
import { isTunnel, type OwnMacPort, type Port, type SwitchModel } from '../model/model.js';
import { linkEvent } from '../ports/link-event.js';
import type { Look, Machine } from '../ports/port-kind.js';
import { kindOf } from '../ports/registry.js';

const LOOK_MS = 100;
/** A guest may rename its NIC at any rate: burst of log lines, and interval. */
const MOVE_LINES = 5;
const MOVE_LINE_MS = 60_000;
/** Number of rounds in which all ports are checked once. */
const LOOKS = 10;
/** Rounds between retries after a failed attempt, though all requirements seemed present. */
const PAUSE = 2;
/** How a connect fails where no route leads (also routes of the kinds unreachable, prohibit and blackhole). */
const NO_ROUTE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL']);

export interface PortWatchParts {
  model: SwitchModel;
  /** Reopens devices. @returns the reasons while they are unavailable; null: open */
  renew(ports: string[]): Promise<string | null>;
  tell(event: SwitchEvent): void;
  /** For the log. */
  changed(port: string, fault: string | null): void;
  /** The NIC of a port has a new name or namespace; for the log. */
  moved(port: string, nic: string, heldBack: number): void;
  /** The MAC of a NIC that leads to the host differs from its entries. */
  macChanged(port: OwnMacPort): void;
  /** The carrier of attached interfaces, or the MTU of some as well, has changed. At most once in a round. */
  stateChanged(isMtu: boolean): void;
  /** A device vanished without a report from an engine. */
  lost(port: Port): void;
  /** The addresses of the namespace have changed. */
  addressesChanged(): void;
  machine?: Machine;
}

export class PortWatch {
  private readonly timer: NodeJS.Timeout;
  private readonly machine: Machine;
  /** Memory of the port kinds between rounds, by port. */
  private readonly memories = new WeakMap<Port, Record<string, unknown>>();
  /** Rate limit of reports about renamed or moved NICs. */
  private readonly moves = new WeakMap<Port, NoticeLimit>();
  /** The addresses of the namespace, as one text; null: not read yet. */
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

  /** One round: a tenth of the ports, and all that are down. */
  look(): Promise<void> {
    this.turn = (this.turn + 1) % LOOKS;
    const here = this.portsThat((port) => port.index % LOOKS === this.turn);
    const addresses = here.some(isTunnel) ? this.machine.addresses() : undefined;
    if (addresses !== undefined && addresses.size > 0) attempt('port-watch', () => this.compare(addresses));
    const look = this.lookWith(() => addresses);
    for (const port of here) {
      // A port without its device is checked by trying to open it.
      if (this.parts.model.lost.has(port.index)) continue;
      // A fault at one port does not keep the others from being checked.
      attempt('port-watch', () => kindOf(port).watch(port, look));
    }
    if (this.changes !== null) this.parts.stateChanged(this.changes.isMtu);
    this.changes = null;
    return this.renewGone();
  }

  /** Neither a list of all ports nor an iterator, whose every step is an object: most rounds find little. */
  private portsThat(wanted: (port: Port) => boolean): Port[] {
    const found: Port[] = [];
    this.parts.model.ports.forEach((port) => {
      if (wanted(port)) found.push(port);
    });
    return found;
  }

  private compare(addresses: ReadonlySet<string>): void {
    const text = [...addresses].sort().join(' ');
    if (this.addresses === text) return;
    this.addresses = text;
    // Also in the first round: the configuration was read some time before.
    this.parts.addressesChanged();
  }

  private lookWith(addresses: () => Set<string> | undefined): Look {
    const { tell, macChanged, lost, moved } = this.parts;
    return {
      machine: this.machine,
      addresses,
      tell,
      macChanged,
      stateChanged: (isMtu) => {
        this.changes = { isMtu: isMtu || this.changes?.isMtu === true };
      },
      lost,
      memory: (port) => remembered(this.memories, port, () => ({})),
      moved: (port, nic) => remembered(this.moves, port, newLimit).offer((heldBack) => moved(port.name, nic, heldBack)),
      setFault: (port, fault) => this.setFault(port, fault),
      renew: (port) => void this.gone.add(port.name),
    };
  }

  /** What has changed in this round at attached interfaces; null: nothing. */
  private changes: { isMtu: boolean } | null = null;
  /** Ports whose present devices must be reopened, by name. */
  private readonly gone = new Set<string>();
  /** Rounds until a port is retried. */
  private readonly pauses = new WeakMap<Port, number>();

  private setFault(port: Port, fault: string | null): void {
    if (port.fault === fault) return;
    const wasDown = port.fault !== null;
    port.fault = fault;
    this.parts.changed(port.name, fault);
    if (wasDown !== (fault !== null)) this.parts.tell(linkEvent(port, fault === null ? 'up' : 'down'));
  }

  /** Opens available devices, one port after another: each is a change of the switch. */
  private async renewGone(): Promise<void> {
    if (this.isRenewing) return;
    const down = this.portsThat((port) => this.isDown(port));
    if (down.length === 0) return;
    this.isRenewing = true;
    try {
      for (const port of down) {
        if (!this.isDown(port)) continue;
        try {
          await this.renewPort(port);
        } catch (error) {
          caught('port-watch', error); // continue with the others
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

  private isDown(port: Port): boolean {
    return this.gone.has(port.name) || this.parts.model.lost.has(port.index);
  }

  private mayBeBack(port: Port): boolean {
    const pause = this.pauses.get(port) ?? 0;
    this.pauses.set(port, Math.max(0, pause - 1));
    if (pause > 0) return false;
    // It may have been deleted while another one was reopened.
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
  vrf: vrfOf,
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
