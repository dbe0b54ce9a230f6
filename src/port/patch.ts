/**
 * Joined pairs: what is written to the descriptors of one end is read from those of the other, a frame with its virtio-net
 * header each. Each engine has a pair of its own, so frames keep their order and their engine.
 */
import { closeFd, openPair } from '../native/binding.js';
import { VNET_HEADER_SIZE } from './packet-io.js';

/** Bytes under way in each direction, for each engine; the kernel counts about 700 bytes more for a frame and doubles the limit. */
const QUEUE_BYTES = 2 << 20;

/** One end of a pair. A pair begins with one end in use; the other one is free until it is taken. */
export interface PatchEnd {
  /** One for each engine. */
  readonly fds: readonly number[];
  readonly vnetHeaderSize: number;
  /** The other end, if it is free; it is in use from then on. */
  takeOther(): PatchEnd | undefined;
  /** What `adoptPatch` in another process needs: the descriptors of this end, and behind them those of a free other end. */
  bequeath(): number[];
  /** Undoes `takeOther` of the other end. */
  giveBack(): void;
  /** Closes it, and with it a free other end. An other end in use is reported as lost by its PacketIo. Idempotent. */
  close(): void;
}

/** Opens a pair. @returns one end @throws NativeError when no descriptor is free */
export function openPatch(queues: number): PatchEnd {
  const near: number[] = [];
  const far: number[] = [];
  try {
    for (let i = 0; i < queues; i++) {
      const [one, other] = openPair(QUEUE_BYTES);
      near.push(one);
      far.push(other);
    }
  } catch (error) {
    for (const fd of [...near, ...far]) closeFd(fd);
    throw error;
  }
  const end = new End(near, true);
  end.join(new End(far, false));
  return end;
}

/**
 * Goes on with an end that another process has open.
 * @param fds as given by `bequeath`
 * @param peer the other end, if it is in use and was adopted before
 */
export function adoptPatch(queues: number, fds: readonly number[], peer: PatchEnd | null): PatchEnd {
  const end = new End(fds.slice(0, queues), true);
  if (fds.length > queues) end.join(new End(fds.slice(queues), false));
  else if (peer instanceof End) end.join(peer);
  return end;
}

class End implements PatchEnd {
  readonly vnetHeaderSize = VNET_HEADER_SIZE;
  private isOpen = true;
  private other: End = this;

  constructor(
    readonly fds: readonly number[],
    private isUsed: boolean,
  ) {}

  join(other: End): void {
    this.other = other;
    other.other = this;
  }

  takeOther(): PatchEnd | undefined {
    if (!this.isOpen || !this.other.isOpen || this.other.isUsed) return undefined;
    this.other.isUsed = true;
    return this.other;
  }

  bequeath(): number[] {
    return [...this.fds, ...(this.other.isUsed ? [] : this.other.fds)];
  }

  giveBack(): void {
    this.isUsed = false;
    if (!this.other.isOpen) this.close();
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const fd of this.fds) closeFd(fd);
    if (!this.other.isUsed) this.other.close();
  }
}
