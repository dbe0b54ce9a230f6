/**
 * The interface between the control thread and one kind of port, implemented by the other files of this folder. Outside of it
 * there are local ports, which exchange frames, and tunnel ports, which have VTEPs and VNIs.
 *
 * A kind is stateless: open devices are stored in the port, observations in the watch.
 */
import type { LinkRow, SwitchEvent } from '../../api/api.js';
import type { PortConfig, SwitchConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import type { DeviceSource } from '../devices/devices.js';
import type { Bequest, Custody, Legacy } from '../model/bequest.js';
import type { DesiredPort } from '../model/desired.js';
import type { DeviceError } from '../model/device-error.js';
import type { OwnMacPort, Port, PortBase, SwitchModel, VxlanPort } from '../model/model.js';
import type { Transition } from '../model/transition.js';

/** Devices opened by a change. */
export interface Opened {
  /** By port name; a placeholder stands for an absent device. */
  devices: Map<string, object>;
  /** Those of `devices` that are taken over from deleted ports. */
  inherited: Set<object>;
  /** Why the devices of ports cannot be opened yet, by port name. */
  absent: Map<string, string>;
  /** The first failure of those for want of a right. */
  powerless: DeviceError | null;
  /** Reopened parts of devices of present ports, by name; the type is defined by the kind. */
  renewals: Map<string, unknown>;
  /** Undoes changes of present devices, last change first. */
  undo: (() => void)[];
}

/** Context for opening devices. */
export interface Opening {
  model: SwitchModel;
  devices: DeviceSource;
  /** The new configuration. */
  next: SwitchConfig;
  /** Names of present ports that are deleted. */
  ending: readonly string[];
  /** Names of ports that stay and whose devices are reopened. */
  renewed: readonly string[];
  /** The devices of the process that this one replaces; undefined: all are opened. */
  legacy?: Legacy | undefined;
  /**
   * Runs `open`; calls `absent` instead if the device does not exist yet and the port may wait for it.
   * @param netns see `mayPass`
   */
  orAbsent<T>(open: () => T, absent: () => T, netns?: string): T;
  /** The path MTU of a configured port; null: no limit. */
  wayMtu(config: PortConfig): number | null;
  opened: Opened;
}

/** What adding, changing and deleting a port needs from the switch. */
export interface Surroundings {
  model: SwitchModel;
  devices: DeviceSource;
  /** Updates the engines' VNI table to the port's configuration. */
  setVnis(port: VxlanPort, change: Transition): void;
  /** VTEPs known without being destinations. */
  setPeers(port: VxlanPort, before: readonly string[], after: readonly string[]): void;
  /** Releases the remotes of a tunnel port. */
  endVteps(port: VxlanPort, change: Transition): void;
  /** Records a fact that engines know by another operation. */
  note(port: Port, operation: Operation): void;
  /** Sends an operation for a port, unless the engines have its content already. */
  tell(port: Port, operation: Operation, change: Transition): void;
}

/** What the port watch needs from the host. */
export interface Machine {
  /** State of an underlay device; null: it does not exist; undefined: temporarily unknown. */
  nic(ifname: string): { index: number; up: boolean } | null | undefined;
  /** The VRF that a device is in, by the name of its device; null: none. Absent: not looked for. */
  vrf?(ifname: string): string | null;
  /** Addresses of the switch's namespace on devices that are up; undefined: temporarily unknown. */
  addresses(): Set<string> | undefined;
  /** Whether a route to a remote exists. */
  isRouted(from: { local?: string; dev?: string }, remote: string): boolean;
  netnsExists(netns: string): boolean;
}

/** One pass of the port watch, and its reports. */
export interface Look {
  machine: Machine;
  /** The host's addresses, read at most once per pass. */
  addresses(): Set<string> | undefined;
  /** The watch's memory of a port between passes. */
  memory(port: Port): Record<string, unknown>;
  setFault(port: Port, fault: string | null): void;
  tell(event: SwitchEvent): void;
  /** The NIC of a port has changed its name or namespace since the last pass. */
  moved(port: Port, nic: string): void;
  /** The MAC of a NIC that leads to the host differs from its entries. */
  macChanged(port: OwnMacPort): void;
  /** The state of an interface that the switch does not set has changed: `isDark`, or its MTU as well. */
  stateChanged(isMtu: boolean): void;
  /** A device is gone. */
  lost(port: Port): void;
  /** The port's device must be reopened, although it exists. */
  renew(port: Port): void;
}

export interface PortKind<C extends PortConfig = PortConfig, P extends Port = Port, D extends object = object> {
  /** Identity of a port: if it changes, the port is recreated; all other changes are made in place. */
  identity(config: C, role: DesiredPort['role']): string;
  /** Number of engine indexes that a port uses. */
  room(config: C): { vnis: number; vteps: number };
  /** @throws DeviceError; nothing has changed then */
  open(desired: DesiredPort & { config: C }, opening: Opening): D;
  /** What the next process needs to go on with the port's open device. Absent: devices of this kind cannot be given away. */
  bequeath?(port: P, devices: DeviceSource): Bequest;
  /** The same for a port that waits, of which a part may be open. Absent: nothing is. */
  bequeathWaiting?(port: P): Omit<Bequest, 'absent'>;
  /** Goes on with a device given away by `bequeath`. Changes nothing about it. @throws DeviceError */
  inherit?(desired: DesiredPort & { config: C }, bequest: Bequest, custody: Custody, opening: Opening): D;
  /** Reopens and changes the devices of a present port. @throws DeviceError; nothing has changed then */
  reopen(port: P, config: C, opening: Opening): void;
  /** Undoes `open` and `reopen`: the device, and the contents of `renewals`. */
  discard(device: D | undefined, renewal: unknown, devices: DeviceSource): void;
  create(base: PortBase, desired: DesiredPort & { config: C }, device: D, model: SwitchModel): P;
  /** Adds the port to the engines. */
  attach(port: P, around: Surroundings, change: Transition): void;
  /** Operations after the port's VLANs are set: for a new port and after each change of its configuration. */
  update(port: P, before: C | null, around: Surroundings, change: Transition, renewal?: unknown): void;
  /** The port moves to another bridge. */
  moved(port: P): void;
  /** @param inherited devices taken over by other ports */
  end(port: P, inherited: ReadonlySet<object>, around: Surroundings, change: Transition): void;
  /** The flags of the data path, except those of the bridge. */
  flags(port: P): number;
  /** The network behind the port is also that of others, beside this switch: it is the last to be blocked. Absent: no. */
  readonly isShared?: true;
  /** Whether frames to the port are dropped for the state of its device. Absent: no. */
  isDark?(port: P): boolean;
  /** Indexes of its receiving sockets. */
  sockets(port: P): number[];
  /** Largest payload of a frame that engines may send there, in bytes; 0: no limit of its own. */
  frameMtu(port: P): number;
  /** The path MTU of the port, which its bridge follows; null: no limit. */
  wayMtu(config: C, devices: DeviceSource, port?: P): number | null;
  /** Adopts the MTU of its path or its bridge. @returns whether `frameMtu` has changed */
  setMtu(port: P, way: number | null, bridge: number): boolean;
  /** Fields of a listing beside the options. */
  view(port: P, isLost: boolean): Partial<LinkRow> & Pick<LinkRow, 'operstate' | 'mtu'>;
  /** Log fields when the switch is ready. */
  summary(port: P): Record<string, unknown>;
  /** Checks a port that has its device. */
  watch(port: P, look: Look): void;
  /** Lets go of what an interface that is gone, but not deleted, must not keep. Absent: nothing. */
  release?(port: P): void;
  /** The fault of a port whose device has just been lost. @param errno how, as the engine has it; 0: it did not report the loss */
  lossFault(port: P, machine: Pick<Machine, 'netnsExists'>, errno: number): string;
  /** Whether a missing device may exist by now. */
  mayReturn(port: P, machine: Machine): boolean;
}
