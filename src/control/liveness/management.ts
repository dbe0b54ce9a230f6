/** Tells the engines which VNI of which socket is the management VNI of a path. */
import type { Operation } from '../../dataplane/operations/operations.js';
import { isTunnel, type SwitchModel, type VxlanPort } from '../model/model.js';
import { Transition } from '../model/transition.js';
import type { WantedPath } from './wanted.js';

interface Told {
  /** A socket that a new port has is a new one. */
  port: VxlanPort;
  vni: number;
  path: number;
}

export class Management {
  /** By socket. */
  private readonly told = new Map<number, Told>();

  constructor(private readonly parts: { model: SwitchModel; carryOut(change: () => Transition): void }) {}

  /** @param numberOf the path of a key; undefined: it is not open */
  follow(wanted: ReadonlyMap<string, WantedPath>, numberOf: (key: string) => number | undefined): void {
    const now = this.present(wanted, numberOf);
    const operations: Operation[] = [];
    for (const [socket, { port, vni, path }] of now) {
      const before = this.told.get(socket);
      if (before?.port !== port || before.vni !== vni || before.path !== path)
        operations.push({ op: 'management', socket, vni, path });
    }
    for (const socket of this.told.keys())
      if (!now.has(socket)) operations.push({ op: 'management', socket, vni: -1, path: 0 });
    if (operations.length === 0) return;
    this.told.clear();
    for (const [socket, told] of now) this.told.set(socket, told);
    this.parts.carryOut(() => {
      const change = new Transition();
      change.structure.push(...operations);
      return change;
    });
  }

  private present(
    wanted: ReadonlyMap<string, WantedPath>,
    numberOf: (key: string) => number | undefined,
  ): Map<number, Told> {
    const found = new Map<number, Told>();
    for (const { key, mode, local, dstport, vni } of wanted.values()) {
      const path = numberOf(key);
      if (mode !== 'vxlan' || path === undefined) continue;
      for (const port of this.parts.model.ports.values()) {
        if (!isTunnel(port) || port.config.bfd !== 'vxlan' || port.config.local !== local) continue;
        if (port.config.dstport === dstport && !found.has(port.underlay.socket))
          found.set(port.underlay.socket, { port, vni, path });
      }
    }
    return found;
  }
}
