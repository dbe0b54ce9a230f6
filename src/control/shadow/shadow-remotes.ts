/**
 * The remotes of a shadow switch: the live table, which is read and never written. A VTEP that the live switch would learn has a number
 * of its own here, for one frame.
 */
import { MAX_REMOTES, RemoteTable } from '../../encap/remotes.js';
import type { Recorder, Words } from './facts.js';

/** The number of a VTEP that is not in the table. The table gives it to the last VTEP that it has room for. */
export const NEW_REMOTE = MAX_REMOTES - 1;

export class ShadowRemotes extends RemoteTable {
  private newcomer: { port: number; address: Words; udpPort: number } | null = null;
  /** Changes with every frame; even, as that of a stable row. */
  private round = 2;

  /** @param memory of the live table */
  constructor(
    memory: SharedArrayBuffer,
    private readonly recorder: Recorder,
  ) {
    super(memory);
  }

  begin(): void {
    this.newcomer = null;
    this.round = (this.round + 2) & 0x3ffffffe;
  }

  override find(port: number, a0: number, a1: number, a2: number, a3: number): number {
    const remote = super.find(port, a0, a1, a2, a3);
    this.recorder.note({ fact: 'remote', port, address: [a0, a1, a2, a3], remote });
    return remote;
  }

  override admit(port: number, words: ArrayLike<number>, at: number, udpPort: number, tick: number): number {
    const address: Words = [words[at] | 0, words[at + 1] | 0, words[at + 2] | 0, words[at + 3] | 0];
    const remote = this.hasRoomFor(port, words, at, tick) ? NEW_REMOTE : 0;
    this.recorder.note({ fact: 'admitted', port, address, remote });
    if (remote !== 0) this.newcomer = { port, address, udpPort };
    return remote;
  }

  override hear(): void {}

  override version(remote: number): number {
    return this.isNew(remote) ? this.round : super.version(remote);
  }

  override address(remote: number): [number, number, number, number] {
    return this.newcomer !== null && this.isNew(remote) ? [...this.newcomer.address] : super.address(remote);
  }

  override udpPort(remote: number): number {
    return this.newcomer !== null && this.isNew(remote) ? this.newcomer.udpPort : super.udpPort(remote);
  }

  /** No other remote of its port has the address of a new one. */
  override isSameVtep(one: number, other: number): boolean {
    return this.isNew(one) || this.isNew(other) ? one === other : super.isSameVtep(one, other);
  }

  private isNew(remote: number): boolean {
    return this.newcomer !== null && remote === NEW_REMOTE;
  }
}
