/** The sockets of liveness sessions. Owns the descriptors; one that cannot be opened is tried again by the next change. */
import { randomInt } from 'node:crypto';
import { MAX_PATHS, type PathSpec } from '../../liveness/contract.js';
import { droppedAt, openLivenessReceiver, openLivenessSender } from '../../port/liveness-socket.js';
import { BFD_MULTIHOP_PORT, BFD_PORT } from '../../wire/bfd.js';
import { Numbers } from '../model/numbers.js';
import type { WantedPath } from './wanted.js';

interface OpenPath {
  spec: PathSpec;
  /** Packets that the kernel has dropped. */
  dropped(): number;
  close(): void;
}

export class Paths {
  private readonly open = new Map<string, OpenPath>();
  private readonly numbers = new Numbers('places of BFD sessions', 0, MAX_PATHS);
  /** Why a path could not be opened, by key. */
  readonly faults = new Map<string, string>();

  /** Packets that the kernel has dropped, of paths that are closed. */
  private droppedBefore = 0;

  /** @param macOf the source MAC of packets inside VXLAN from this address */
  constructor(private readonly macOf: (local: string) => string) {}

  /** Opens what is missing. @returns closes what is not wanted any more, once nobody uses it */
  become(wanted: ReadonlyMap<string, WantedPath>): () => void {
    const gone = [...this.open].filter(([key]) => !wanted.has(key));
    for (const [key] of gone) this.open.delete(key);
    for (const key of this.faults.keys()) if (!wanted.has(key)) this.faults.delete(key);
    for (const [key, path] of wanted) if (!this.open.has(key)) this.begin(key, path);
    return () => {
      for (const [, { spec, dropped, close }] of gone) {
        this.droppedBefore += dropped();
        close();
        this.numbers.give(spec.path);
      }
    };
  }

  get specs(): PathSpec[] {
    return [...this.open.values()].map(({ spec }) => spec);
  }

  numberOf(key: string): number | undefined {
    return this.open.get(key)?.spec.path;
  }

  /** Packets of single-hop sessions that the kernel has dropped: their TTL was not 255, or the queue was full. */
  get dropped(): number {
    return [...this.open.values()].reduce((sum, { dropped }) => sum + dropped(), this.droppedBefore);
  }

  /** Closes all; nobody uses them any more. */
  close(): void {
    this.become(new Map())();
  }

  private begin(key: string, wanted: WantedPath): void {
    const number = this.numbers.tryTake();
    if (number === null) {
      this.faults.set(key, `a switch has BFD sessions at ${MAX_PATHS} local addresses at most`);
      return;
    }
    try {
      this.open.set(key, this.openPath(number, wanted));
      this.faults.delete(key);
    } catch (error) {
      this.numbers.give(number);
      this.faults.set(key, error instanceof Error ? error.message : String(error));
    }
  }

  private openPath(path: number, { mode, family, local, dev, dstport, vni }: WantedPath): OpenPath {
    const place = { family, ...(local === undefined ? {} : { local }), ...(dev === undefined ? {} : { dev }) };
    const sender = openLivenessSender(place, randomInt(1 << 14));
    const common = { path, mode, sender: sender.fd };
    if (mode === 'vxlan') {
      const source = local ?? '';
      const envelope = { vni, source, sourceMac: this.macOf(source) };
      return { spec: { ...common, port: dstport, envelope }, dropped: () => 0, close: () => sender.close() };
    }
    const port = mode === 'single-hop' ? BFD_PORT : BFD_MULTIHOP_PORT;
    try {
      const receiver = openLivenessReceiver({ ...place, port, isOneHop: mode === 'single-hop' });
      const close = (): void => {
        receiver.close();
        sender.close();
      };
      const dropped = (): number => (mode === 'single-hop' ? droppedAt(receiver) : 0);
      return { spec: { ...common, port, receiver: receiver.fd }, dropped, close };
    } catch (error) {
      sender.close();
      throw error;
    }
  }
}
