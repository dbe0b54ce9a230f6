/**
 * The counters of the switch in shared memory: each engine adds to its own, the control thread reads. Float64Array, because
 * sums of bytes exceed 32 bits and BigInts are allocated; exact up to 2^53.
 *
 * The counters balance: sum(rx_packets) + replicated = sum(tx_packets) + sum(drops), where `replicated` counts the copies made
 * by flooding beyond the first one of each frame. The sums include all ports and the RETIRED row, to which the counters of
 * deleted ports are added.
 */
import { MAX_REMOTES } from '../../encap/remotes.js';
import { DROP_REASONS, type DropReason } from './drop-reasons.js';
import { UNKNOWN_VTEP_WORDS, UnknownVtepReader, UnknownVteps } from './unknown-vteps.js';

export const MAX_PORTS = 1024;
export const MAX_VNIS = 65_536;
/** Number of counters of VLAN memberships; index 0 stands for none. */
export const MAX_VLAN_COUNTERS = 65_536;

/** The row for deleted ports, behind those of the ports. */
export const RETIRED = MAX_PORTS;

export const RX_PACKETS = 0;
export const RX_BYTES = 1;
export const TX_PACKETS = 2;
export const TX_BYTES = 3;
const TRAFFIC = 4;

// Losses of a VNI.
const RX_DROPS = 0;
const RX_ERRORS = 1;
const TX_DROPS = 2;
const TX_ERRORS = 3;
const LOSSES = 4;

const REASONS = DROP_REASONS.length;
/** Of a port's traffic, what was carried outside of the engine: behind its drops. */
const OFFLOADED = TRAFFIC + 2 * REASONS;
const PORT_ROW = OFFLOADED + TRAFFIC;

const GLOBAL = 8;
const REPLICATED = 0;
const TICK = 1;
const TUNNELLED = 2;
const FLOODED = 3;
const PORTS = GLOBAL;
const REMOTES = PORTS + (RETIRED + 1) * PORT_ROW;
const VNIS = REMOTES + MAX_REMOTES * TRAFFIC;
const VNI_LOSSES = VNIS + MAX_VNIS * TRAFFIC;
const VLANS = VNI_LOSSES + MAX_VNIS * LOSSES;
const WORDS = VLANS + MAX_VLAN_COUNTERS * TRAFFIC;

export interface Traffic {
  rx_packets: number;
  rx_bytes: number;
  tx_packets: number;
  tx_bytes: number;
}

/** Frames of a VNI that were dropped, by direction. Errors are those that are nobody's wish: a bad congestion mark, a failed send. */
export interface Losses {
  rx_drops: number;
  rx_errors: number;
  tx_drops: number;
  tx_errors: number;
}

export interface Drops {
  rx_dropped: number;
  tx_dropped: number;
  /** In either direction; reasons with a count of 0 are omitted. */
  drops: Partial<Record<DropReason, number>>;
}

/** The counters of one port, with its drops in each direction by reason. */
export interface PortAccount {
  traffic: Traffic;
  rx: Partial<Record<DropReason, number>>;
  tx: Partial<Record<DropReason, number>>;
  /** Of `traffic`, what was carried outside of the engines; absent: nothing. */
  offloaded?: Traffic;
}

export class Counters {
  readonly memory: SharedArrayBuffer;
  /** Senders of datagrams dropped as `vtep_unknown`. */
  readonly unknownVteps: UnknownVteps;
  private readonly words: Float64Array;

  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(WORDS * 8 + UNKNOWN_VTEP_WORDS * 4);
    this.words = new Float64Array(this.memory, 0, WORDS);
    this.unknownVteps = new UnknownVteps(this.memory, WORDS * 8);
  }

  received(port: number, bytes: number, frames = 1): void {
    const row = PORTS + port * PORT_ROW;
    this.words[row + RX_PACKETS] += frames;
    this.words[row + RX_BYTES] += bytes;
  }

  receivedFrom(remote: number, vni: number, bytes: number, frames = 1): void {
    this.words[REMOTES + remote * TRAFFIC + RX_PACKETS] += frames;
    this.words[REMOTES + remote * TRAFFIC + RX_BYTES] += bytes;
    this.words[VNIS + vni * TRAFFIC + RX_PACKETS] += frames;
    this.words[VNIS + vni * TRAFFIC + RX_BYTES] += bytes;
  }

  transmitted(port: number, bytes: number, frames: number): void {
    const row = PORTS + port * PORT_ROW;
    this.words[row + TX_PACKETS] += frames;
    this.words[row + TX_BYTES] += bytes;
  }

  transmittedTo(remote: number, vni: number, bytes: number, frames: number): void {
    this.words[REMOTES + remote * TRAFFIC + TX_PACKETS] += frames;
    this.words[REMOTES + remote * TRAFFIC + TX_BYTES] += bytes;
    this.words[VNIS + vni * TRAFFIC + TX_PACKETS] += frames;
    this.words[VNIS + vni * TRAFFIC + TX_BYTES] += bytes;
  }

  /** @param counter of the membership that the frame came in by, not 0 */
  receivedIn(counter: number, bytes: number, frames = 1): void {
    this.words[VLANS + counter * TRAFFIC + RX_PACKETS] += frames;
    this.words[VLANS + counter * TRAFFIC + RX_BYTES] += bytes;
  }

  /** @param counter of the membership that the copy left by, not 0 */
  transmittedIn(counter: number, bytes: number, frames: number): void {
    this.words[VLANS + counter * TRAFFIC + TX_PACKETS] += frames;
    this.words[VLANS + counter * TRAFFIC + TX_BYTES] += bytes;
  }

  /** Frames carried from one local port to another outside of the engine; counted beside `received` and `transmitted`. */
  offloaded(port: number, out: number, received: number, sent: number, frames: number): void {
    const from = PORTS + port * PORT_ROW + OFFLOADED;
    const to = PORTS + out * PORT_ROW + OFFLOADED;
    this.words[from + RX_PACKETS] += frames;
    this.words[from + RX_BYTES] += received;
    this.words[to + TX_PACKETS] += frames;
    this.words[to + TX_BYTES] += sent;
  }

  /** A frame dropped on ingress: counted at the ingress port. */
  droppedIn(port: number, reason: number): void {
    this.words[PORTS + port * PORT_ROW + TRAFFIC + reason] += 1;
  }

  /** A copy dropped on egress: counted at the egress port. */
  droppedOut(port: number, reason: number): void {
    this.words[PORTS + port * PORT_ROW + TRAFFIC + REASONS + reason] += 1;
  }

  /** A datagram of a VNI that was dropped on ingress: counted beside `droppedIn`. */
  lostIn(vni: number, isError: boolean): void {
    this.words[VNI_LOSSES + vni * LOSSES + (isError ? RX_ERRORS : RX_DROPS)] += 1;
  }

  /** A copy into a VNI that was dropped on egress: counted beside `droppedOut`. */
  lostOut(vni: number, isError: boolean): void {
    this.words[VNI_LOSSES + vni * LOSSES + (isError ? TX_ERRORS : TX_DROPS)] += 1;
  }

  replicated(copies: number): void {
    this.words[REPLICATED] += copies;
  }

  /** A frame is to be flooded, whether limits let it or not. */
  flooded(): void {
    this.words[FLOODED] += 1;
  }

  /** Superframes sent unsegmented, for a device to segment. */
  tunnelled(superframes: number): void {
    this.words[TUNNELLED] += superframes;
  }

  setTick(tick: number): void {
    this.words[TICK] = tick;
  }

  // ---- Counters that another switch has counted. Control path, before the engine runs. ----

  creditPort(port: number, { traffic, rx, tx, offloaded }: PortAccount): void {
    const row = PORTS + port * PORT_ROW;
    this.credit(row, traffic);
    if (offloaded !== undefined) this.credit(row + OFFLOADED, offloaded);
    DROP_REASONS.forEach((name, reason) => {
      this.words[row + TRAFFIC + reason] += rx[name] ?? 0;
      this.words[row + TRAFFIC + REASONS + reason] += tx[name] ?? 0;
    });
  }

  creditRemote(remote: number, traffic: Traffic): void {
    this.credit(REMOTES + remote * TRAFFIC, traffic);
  }

  creditVni(counter: number, traffic: Traffic): void {
    this.credit(VNIS + counter * TRAFFIC, traffic);
  }

  creditLosses(counter: number, { rx_drops, rx_errors, tx_drops, tx_errors }: Losses): void {
    const row = VNI_LOSSES + counter * LOSSES;
    this.words[row + RX_DROPS] += rx_drops;
    this.words[row + RX_ERRORS] += rx_errors;
    this.words[row + TX_DROPS] += tx_drops;
    this.words[row + TX_ERRORS] += tx_errors;
  }

  creditVlan(counter: number, traffic: Traffic): void {
    this.credit(VLANS + counter * TRAFFIC, traffic);
  }

  private credit(row: number, { rx_packets, rx_bytes, tx_packets, tx_bytes }: Traffic): void {
    this.words[row + RX_PACKETS] += rx_packets;
    this.words[row + RX_BYTES] += rx_bytes;
    this.words[row + TX_PACKETS] += tx_packets;
    this.words[row + TX_BYTES] += tx_bytes;
  }

  // ---- Released indexes. Control path. ----

  /** Adds a port's counters to the RETIRED row. */
  retire(port: number): void {
    const row = PORTS + port * PORT_ROW;
    const retired = PORTS + RETIRED * PORT_ROW;
    for (let word = 0; word < PORT_ROW; word++) this.words[retired + word] += this.words[row + word];
    this.words.fill(0, row, row + PORT_ROW);
  }

  clearRemote(remote: number): void {
    this.clear(REMOTES + remote * TRAFFIC);
  }

  clearVni(counter: number): void {
    this.clear(VNIS + counter * TRAFFIC);
    const losses = VNI_LOSSES + counter * LOSSES;
    this.words.fill(0, losses, losses + LOSSES);
  }

  clearVlan(counter: number): void {
    this.clear(VLANS + counter * TRAFFIC);
  }

  private clear(row: number): void {
    this.words.fill(0, row, row + TRAFFIC);
  }
}

/** The counters of all engines of a switch, summed on each read. For the control thread. */
export class CounterReader {
  /** Senders of datagrams dropped as `vtep_unknown`. */
  readonly unknownVteps: UnknownVtepReader;
  private readonly engines: Float64Array[];

  constructor(memories: readonly SharedArrayBuffer[]) {
    this.engines = memories.map((memory) => new Float64Array(memory, 0, WORDS));
    this.unknownVteps = new UnknownVtepReader(memories, WORDS * 8);
  }

  /** The clock of the first engine, in ticks. */
  get tick(): number {
    return this.engines[0][TICK];
  }

  /** The clock of each engine, in ticks: while it works, it moves on every 100 ms. */
  get ticks(): number[] {
    return this.engines.map((words) => words[TICK]);
  }

  /** Copies that flooding made beyond the first of each frame. */
  get replicated(): number {
    return this.sum(REPLICATED);
  }

  /** Frames that were to be flooded. */
  get flooded(): number {
    return this.sum(FLOODED);
  }

  /** Superframes sent unsegmented, for a device to segment. */
  get tunnelled(): number {
    return this.sum(TUNNELLED);
  }

  port(port: number): Traffic {
    return this.traffic(PORTS + port * PORT_ROW);
  }

  /** Of a port's traffic, what was carried outside of the engines. */
  offloaded(port: number): Traffic {
    return this.traffic(PORTS + port * PORT_ROW + OFFLOADED);
  }

  remote(remote: number): Traffic {
    return this.traffic(REMOTES + remote * TRAFFIC);
  }

  vni(counter: number): Traffic {
    return this.traffic(VNIS + counter * TRAFFIC);
  }

  /** What was dropped of a VNI. */
  losses(counter: number): Losses {
    const row = VNI_LOSSES + counter * LOSSES;
    return {
      rx_drops: this.sum(row + RX_DROPS),
      rx_errors: this.sum(row + RX_ERRORS),
      tx_drops: this.sum(row + TX_DROPS),
      tx_errors: this.sum(row + TX_ERRORS),
    };
  }

  /** @param counter of a membership, as in the operation `vlan` */
  vlan(counter: number): Traffic {
    return this.traffic(VLANS + counter * TRAFFIC);
  }

  /** The counters of deleted ports. */
  get retired(): Traffic & Drops {
    return { ...this.port(RETIRED), ...this.portDrops(RETIRED) };
  }

  /** All counters of a port; RETIRED: of the deleted ones. */
  account(port: number): PortAccount {
    const account: PortAccount = { traffic: this.port(port), rx: {}, tx: {} };
    DROP_REASONS.forEach((name, reason) => {
      const received = this.rxDrops(port, reason);
      const sent = this.txDrops(port, reason);
      if (received > 0) account.rx[name] = received;
      if (sent > 0) account.tx[name] = sent;
    });
    const offloaded = this.offloaded(port);
    if (offloaded.rx_packets + offloaded.tx_packets > 0) account.offloaded = offloaded;
    return account;
  }

  portDrops(port: number): Drops {
    const answer: Drops = { rx_dropped: 0, tx_dropped: 0, drops: {} };
    DROP_REASONS.forEach((name, reason) => {
      const received = this.rxDrops(port, reason);
      const sent = this.txDrops(port, reason);
      answer.rx_dropped += received;
      answer.tx_dropped += sent;
      if (received + sent > 0) answer.drops[name] = received + sent;
    });
    return answer;
  }

  rxDrops(port: number, reason: number): number {
    return this.sum(PORTS + port * PORT_ROW + TRAFFIC + reason);
  }

  txDrops(port: number, reason: number): number {
    return this.sum(PORTS + port * PORT_ROW + TRAFFIC + REASONS + reason);
  }

  private traffic(row: number): Traffic {
    return {
      rx_packets: this.sum(row + RX_PACKETS),
      rx_bytes: this.sum(row + RX_BYTES),
      tx_packets: this.sum(row + TX_PACKETS),
      tx_bytes: this.sum(row + TX_BYTES),
    };
  }

  private sum(word: number): number {
    return this.engines.reduce((total, words) => total + words[word], 0);
  }
}
