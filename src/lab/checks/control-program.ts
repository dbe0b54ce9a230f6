/**
 * A small control program, such as that of docker's overlay network. It reads a switch's events and answers each miss from a
 * table: an `l3miss` (unknown address) with a neighbour entry, an `l2miss` (unknown MAC) with an FDB entry. So the switch
 * neither floods nor learns.
 *
 * It uses only the control socket, as any program would. Here the table comes from a lab's topology, in a data centre from
 * the system that places the guests. It never removes an entry.
 */
import type { FdbRequest, NeighRequest, SwitchEvent } from '../../api/api.js';
import type { SwitchClient } from '../setup/environment.js';
import { type Reading, readEvents } from './event-log.js';

/** An address behind another host. */
export interface Resident {
  /** Overlay address, IPv4 or IPv6 in its shortest form. A guest with several addresses is several residents. */
  readonly address: string;
  readonly mac: string;
  /** Underlay address of its host. */
  readonly vtep: string;
  /** Whether it is a router, so that route short-circuit (`rsc`) may bypass it. */
  readonly router?: boolean;
}

export class ControlProgram {
  /** Number of neighbour and FDB entries added, and of misses without an answer in the table. */
  readonly answered = { neighbours: 0, entries: 0, unknown: 0 };
  readonly #client: SwitchClient;
  readonly #dev: string;
  readonly #byAddress: ReadonlyMap<string, Resident>;
  readonly #byMac: ReadonlyMap<string, Resident>;
  #reading: Reading | null = null;

  private constructor(client: SwitchClient, dev: string, table: readonly Resident[]) {
    this.#client = client;
    this.#dev = dev;
    this.#byAddress = new Map(table.map((resident) => [resident.address, resident]));
    this.#byMac = new Map(table.map((resident) => [resident.mac, resident]));
  }

  /**
   * Starts to answer the misses of one vxlan port with one VNI.
   * @param table the addresses behind other hosts
   * @returns when the switch has accepted the event stream, so that no later miss is lost
   */
  static async start(client: SwitchClient, dev: string, table: readonly Resident[]): Promise<ControlProgram> {
    const program = new ControlProgram(client, dev, table);
    // A lost event (`lost`) does no harm: the next frame causes the same miss again.
    program.#reading = await readEvents(client, ['l2miss', 'l3miss'], (event) => program.#answer(event));
    return program;
  }

  /** @throws when the event stream broke, or the switch refused an entry */
  async stop(): Promise<void> {
    await this.#reading?.stop();
    this.#reading = null;
  }

  async #answer(event: SwitchEvent): Promise<void> {
    if (event.event === 'l3miss' && event.ifname === this.#dev) await this.#addNeighbour(event.dst);
    if (event.event === 'l2miss' && event.ifname === this.#dev) await this.#addEntry(event.mac);
  }

  // Both use `replace`: a second miss before the first answer must not fail because the entry exists.

  async #addNeighbour(address: string): Promise<void> {
    const resident = this.#byAddress.get(address);
    if (resident === undefined) {
      this.answered.unknown++;
      return;
    }
    const { mac, router = false } = resident;
    const request: NeighRequest = { op: 'replace', dst: address, lladdr: mac, dev: this.#dev, router };
    await this.#client.post('/v1/neigh', request);
    this.answered.neighbours++;
  }

  async #addEntry(mac: string): Promise<void> {
    const resident = this.#byMac.get(mac);
    if (resident === undefined) {
      this.answered.unknown++;
      return;
    }
    const request: FdbRequest = { op: 'replace', mac, dev: this.#dev, dst: resident.vtep };
    await this.#client.post('/v1/fdb', request);
    this.answered.entries++;
  }
}
