/**
 * Switches in memory on one clock, with cables between their ports and an underlay between their VTEPs. Frames take a lap of
 * LAP_MS over each cable, so a loop makes a storm that lasts, and the clock goes on.
 */
import type { Document } from '../../../src/config/edit/tree.js';
import type { Loop } from '../../../src/control/loops/loop-guard.js';
import { type Left, MemorySwitch, type MemorySwitchOptions } from '../../../src/control/memory/memory-switch.js';

export const LAP_MS = 20;
const VNI = 42;

/** `switch port`. */
export type End = `${string} ${string}`;

interface InFlight {
  to: End;
  frame: Uint8Array;
  /** VTEP that it comes from, where it goes to a vxlan port. */
  from?: string;
}

export class Network {
  readonly switches = new Map<string, MemorySwitch>();
  /** What came to ports without a cable. */
  readonly arrived: { at: End; frame: Uint8Array; time: number }[] = [];
  /** `found a t1 t2 0`: switch, blocked port, other port, VLAN. */
  readonly said: string[] = [];
  /** `a t1 learning`: what ports do in spanning trees. */
  readonly trees: string[] = [];
  time = 0;
  private readonly cables = new Map<End, readonly End[]>();
  private readonly vteps = new Map<string, string>();
  private flying: InFlight[] = [];

  /** @param ports of its bridge br0; a vxlan port `vx` gets the address 192.0.2.N of the Nth switch */
  async add(
    name: string,
    ports: Record<string, object>,
    bridge: object = {},
    options: Pick<MemorySwitchOptions, 'isHeld'> = {},
  ): Promise<MemorySwitch> {
    const address = `192.0.2.${this.switches.size + 1}`;
    this.vteps.set(address, name);
    const local = { type: 'vxlan', local: address, id: VNI };
    const all = Object.entries(ports).map(([port, options]) => [
      port,
      port === 'vx' ? { ...local, ...options } : { type: 'tap', ...options },
    ]);
    const document: Document = {
      name,
      fdb_size: 1024,
      bridges: { br0: { ...bridge, ports: Object.fromEntries(all) } },
    };
    const say = ({ port, with: other, vid }: Loop, isThere: boolean): void =>
      void this.said.push(`${isThere ? 'found' : 'gone'} ${name} ${port} ${other} ${vid}`);
    const sw = await MemorySwitch.start(document, {
      loops: say,
      trees: ({ port, state }) => void this.trees.push(`${name} ${port} ${state}`),
      ...options,
    });
    this.switches.set(name, sw);
    return sw;
  }

  of(name: string): MemorySwitch {
    return this.switches.get(name) ?? fail(name);
  }

  /** Joins ports by a hub. */
  join(...ends: End[]): void {
    for (const end of ends)
      this.cables.set(
        end,
        ends.filter((other) => other !== end),
      );
  }

  /** What leaves by the port comes back by it. */
  reflect(end: End): void {
    this.cables.set(end, [end]);
  }

  cut(...ends: End[]): void {
    for (const end of ends) this.cables.delete(end);
    for (const [end, others] of this.cables)
      this.cables.set(
        end,
        others.filter((other) => !ends.includes(other)),
      );
  }

  put(at: End, frame: Uint8Array, from?: string): void {
    this.flying.push({ to: at, frame, ...(from === undefined ? {} : { from }) });
  }

  /** Frames on their way that are none of loop guard's. */
  get storm(): number {
    return this.flying.filter(({ frame }) => frame[0] !== 0x03).length;
  }

  /** Lets time pass, a lap at a time. */
  async pass(ms: number): Promise<void> {
    for (const end = this.time + ms; this.time < end; this.time += LAP_MS) await this.lap();
  }

  private async lap(): Promise<void> {
    const arriving = this.flying;
    this.flying = [];
    for (const { to, frame, from } of arriving) this.deliver(to, frame, from);
    for (const [name, sw] of this.switches) {
      for (const left of await sw.run()) this.leave(name, left);
      for (const left of await sw.advance(LAP_MS)) this.leave(name, left);
    }
  }

  private deliver(to: End, frame: Uint8Array, from: string | undefined): void {
    const [name, port] = to.split(' ') as [string, string];
    const sw = this.of(name);
    if (from === undefined) sw.put(port, frame);
    else sw.putDatagram(port, { from, vni: VNI }, frame);
  }

  private leave(name: string, { port, frame, remote }: Left): void {
    if (remote !== undefined) {
      const to = this.vteps.get(remote.address);
      const from = [...this.vteps].find(([, other]) => other === name)?.[0];
      if (to === undefined || from === undefined) this.arrived.push({ at: `${name} ${port}`, frame, time: this.time });
      else this.flying.push({ to: `${to} vx`, frame, from });
      return;
    }
    const others = this.cables.get(`${name} ${port}`);
    if (others === undefined) this.arrived.push({ at: `${name} ${port}`, frame, time: this.time });
    else for (const to of others) this.flying.push({ to, frame });
  }

  /** What came to a port, and is forgotten here. @param isWanted by the frame */
  take(at: End, isWanted: (frame: Uint8Array) => boolean = () => true): Uint8Array[] {
    const taken = this.arrived.filter((one) => one.at === at && isWanted(one.frame)).map(({ frame }) => frame);
    this.arrived.splice(0, this.arrived.length, ...this.arrived.filter((one) => one.at !== at));
    return taken;
  }

  stop(): void {
    for (const sw of this.switches.values()) sw.stop();
  }
}

function fail(name: string): never {
  throw new Error(`no switch ${name}`);
}
