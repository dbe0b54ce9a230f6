/**
 * What control has to know of one kind of port. Everything about a kind is behind this interface, in a file of its own beside this
 * one; the rest of control knows local ports, which exchange frames, and tunnel ports, which have VTEPs and VNIs.
 *
 * A kind holds no state: what it has opened is in the port, and what a watch remembers is in the watch.
 */
import type { LinkRow, SwitchEvent } from '../../api/api.js';
import type { PortConfig, SwitchConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import type { DeviceSource } from '../devices/devices.js';
import type { DesiredPort } from '../model/desired.js';
import type { Port, PortBase, SwitchModel, TapPort, VxlanPort } from '../model/model.js';
import type { Transition } from '../model/transition.js';

/** Devices that a change has opened. */
export interface Opened {
  /** By the port's name; in place of an absent device stands one that carries nothing. */
  devices: Map<string, object>;
  /** Of `devices`, those of ports that end: the device stays and goes over to a port of another name. */
  inherited: Set<object>;
  /** Why the devices of ports cannot be opened yet, by name. */
  absent: Map<string, string>;
  /** Parts of devices that are opened anew for ports that stay, by name; what they are is for the kind to know. */
  renewals: Map<string, unknown>;
  /** Takes changes of present devices back, last change first. */
  undo: (() => void)[];
}

/** How a device is opened. */
export interface Opening {
  model: SwitchModel;
  devices: DeviceSource;
  /** The configuration that it is opened for. */
  next: SwitchConfig;
  /** Names of present ports that end. */
  ending: readonly string[];
  /** Names of ports that stay and whose devices are opened anew. */
  renewed: readonly string[];
  /**
   * Runs `open`; in its place `absent`, where the device is not there yet and the port may wait for it.
   * @param netns as of `mayPass`
   */
  orAbsent<T>(open: () => T, absent: () => T, netns?: string): T;
  /** The MTU that the way behind a configured port allows; null: it sets no bound. */
  wayMtu(config: PortConfig): number | null;
  opened: Opened;
}

/** What the life of a port needs of the switch around it. */
export interface Surroundings {
  model: SwitchModel;
  devices: DeviceSource;
  /** Brings the engines' table of VNIs to the port's configuration. */
  setVnis(port: VxlanPort, change: Transition): void;
  /** VTEPs that are known without being sent to. */
  setPeers(port: VxlanPort, before: readonly string[], after: readonly string[]): void;
  /** Gives the numbers of a tunnel port's VTEPs back. */
  endVteps(port: VxlanPort, change: Transition): void;
  /** Takes note of what the engines know of a port by another operation. */
  note(port: Port, operation: Operation): void;
  /** Sends an operation of a port, unless the engines know it. */
  tell(port: Port, operation: Operation, change: Transition): void;
}

/** What the watch over ports asks of the machine. */
export interface Machine {
  /** The state of an underlay's device; null: there is none; undefined: the kernel does not say, for the moment. */
  nic(ifname: string): { index: number; up: boolean } | null | undefined;
  /** Addresses of the switch's namespace, of devices that are up; undefined: the kernel does not say, for the moment. */
  addresses(): Set<string> | undefined;
  /** Whether a route leads to a remote. */
  isRouted(from: { local?: string; dev?: string }, remote: string): boolean;
  netnsExists(netns: string): boolean;
}

/** One look of the watch at ports, and how it reports what it finds. */
export interface Look {
  machine: Machine;
  /** The machine's addresses, asked for at most once a look. */
  addresses(): Set<string> | undefined;
  /** What the watch remembers of a port, between looks. */
  memory(port: Port): Record<string, unknown>;
  setFault(port: Port, fault: string | null): void;
  tell(event: SwitchEvent): void;
  /** The NIC of a port has another name or namespace than at the last look. */
  moved(port: Port, nic: string): void;
  /** The NIC of a host port has another MAC than its entries. */
  macChanged(port: TapPort): void;
  /** A device has gone. */
  lost(port: TapPort): void;
  /** The port's device has to be opened anew, though it is there. */
  renew(port: Port): void;
}

export interface PortKind<C extends PortConfig = PortConfig, P extends Port = Port, D extends object = object> {
  /** What makes a port the one that it is: where this differs, it is made anew; everything else changes while it runs. */
  identity(config: C, role: DesiredPort['role']): string;
  /** Numbers that a port takes of the engines' tables. */
  room(config: C): { vnis: number; vteps: number };
  /** @throws DeviceError; then nothing has changed */
  open(desired: DesiredPort & { config: C }, opening: Opening): D;
  /** Opens what a present port needs anew, and changes its device. @throws DeviceError; then nothing has changed */
  reopen(port: P, config: C, opening: Opening): void;
  /** Takes `open` and `reopen` back: the device, and what `renewals` has. */
  discard(device: D | undefined, renewal: unknown, devices: DeviceSource): void;
  create(base: PortBase, desired: DesiredPort & { config: C }, device: D, model: SwitchModel): P;
  /** Makes the port known to the engines. */
  attach(port: P, around: Surroundings, change: Transition): void;
  /** What the engines have to know once the port's VLANs are set: at first, and when its configuration has changed. */
  update(port: P, before: C | null, around: Surroundings, change: Transition, renewal?: unknown): void;
  /** The port belongs to another bridge from now on. */
  moved(port: P): void;
  /** @param inherited devices that go over to other ports */
  end(port: P, inherited: ReadonlySet<object>, around: Surroundings, change: Transition): void;
  /** The flags that the engines test, beside those of its bridge. */
  flags(port: P): number;
  /** Numbers of its receiving sockets. */
  sockets(port: P): number[];
  /** Bytes of a frame's payload that the engines may send there; 0: no bound of the port's own. */
  frameMtu(port: P): number;
  /** The MTU that the way behind the port allows, which its bridge follows; null: it sets no bound. */
  wayMtu(config: C, devices: DeviceSource, port?: P): number | null;
  /** Takes the MTU of its way, or of its bridge, for the port's own. @returns whether `frameMtu` has changed */
  setMtu(port: P, way: number | null, bridge: number): boolean;
  /** What a listing shows beside the options. */
  view(port: P, isLost: boolean): Partial<LinkRow> & Pick<LinkRow, 'operstate' | 'mtu'>;
  /** What the log says when the switch is ready. */
  summary(port: P): Record<string, unknown>;
  /** Looks at a port that has its device. */
  watch(port: P, look: Look): void;
  /** Whether a device that is not there may be there by now. */
  mayReturn(port: P, machine: Machine): boolean;
}
