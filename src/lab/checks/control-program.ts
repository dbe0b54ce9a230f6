/**
 * A small control program, as docker's overlay network has one: it follows a switch's events, and answers each miss from a
 * table. The switch asks who has an address (`l3miss`), and is told a neighbour; it asks where a MAC is (`l2miss`), and is
 * told an FDB entry. So it need neither flood nor learn.
 *
 * It reaches the switch by the client alone, as any program would. Where its table comes from is not its affair: here
 * it is a lab's topology, in a data centre it would be whatever placed the guests. It never takes back what it told.
 */
import type { FdbRequest, NeighRequest, SwitchEvent } from '../../api/api.js';
import type { SwitchClient } from '../setup/environment.js';
import { type Reading, readEvents } from './event-log.js';

/** One who can be reached through the tunnel. */
export interface Resident {
  /** Its address in the overlay, IPv4 or IPv6 in its shortest form. One with several addresses is several residents. */
  readonly address: string;
  readonly mac: string;
  /** The address of the host that it is behind. */
  readonly vtep: string;
  /** Whether packets to others may be sent to it, and so may be short-cut past it (`rsc`). */
  readonly router?: boolean;
}

export class ControlProgram {
  /** How many misses of each kind it has answered, and how many it had no answer to. */
  readonly told = { neighbours: 0, places: 0, unknown: 0 };
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
   * Begins to answer the misses of one vxlan port, which has one VNI.
   * @param table whoever is behind other hosts
   * @returns once no miss escapes it any more
   */
  static async start(client: SwitchClient, dev: string, table: readonly Resident[]): Promise<ControlProgram> {
    const program = new ControlProgram(client, dev, table);
    // A record that was lost (`lost`) is no harm: what is missed is missed again with the next frame.
    program.#reading = await readEvents(client, ['l2miss', 'l3miss'], (event) => program.#answer(event));
    return program;
  }

  /** @throws when the switch has gone, or has refused an answer */
  async stop(): Promise<void> {
    await this.#reading?.stop();
    this.#reading = null;
  }

  async #answer(event: SwitchEvent): Promise<void> {
    if (event.event === 'l3miss' && event.ifname === this.#dev) await this.#tellNeighbour(event.dst);
    if (event.event === 'l2miss' && event.ifname === this.#dev) await this.#tellPlace(event.mac);
  }

  // Both replace what there is: a guest that asks a second time before it is told must not make the program stumble.

  async #tellNeighbour(address: string): Promise<void> {
    const resident = this.#byAddress.get(address);
    if (resident === undefined) {
      this.told.unknown++;
      return;
    }
    const { mac, router = false } = resident;
    const request: NeighRequest = { op: 'replace', dst: address, lladdr: mac, dev: this.#dev, router };
    await this.#client.post('/v1/neigh', request);
    this.told.neighbours++;
  }

  async #tellPlace(mac: string): Promise<void> {
    const resident = this.#byMac.get(mac);
    if (resident === undefined) {
      this.told.unknown++;
      return;
    }
    const request: FdbRequest = { op: 'replace', mac, dev: this.#dev, dst: resident.vtep };
    await this.#client.post('/v1/fdb', request);
    this.told.places++;
  }
}
