/**
 * Networks and the containers in them: each step is a record on disk and a change of links, in the order that lets a start find
 * every device which a killed process has left. One thing is done at a time.
 */
import { type Document, EditRefused, findLink } from '../../config/edit/tree.js';
import { type DriverLog, ProtocolError, type SwitchAccess } from './contract.js';
import { type Place, withEndpoint, withLinksOf, withNetwork, withoutEndpoint, withoutNetwork } from './links.js';
import { type Endpoint, MOST_ENDPOINTS, MOST_NETWORKS, type Network, type Records } from './records.js';

/** Requests that wait for those before them. */
const MOST_WAITING = 256;
/** Characters of an endpoint's ID in the name of its port; names have at most 15. */
const ID_LENGTH = 12;

export class Attachments {
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  /** @param prefix of the names of ports, two letters */
  constructor(
    readonly prefix: string,
    readonly access: SwitchAccess,
    readonly records: Records,
    readonly log: DriverLog,
    /** Whether a network goes with its last endpoint. */
    private readonly prunes: boolean,
  ) {}

  /** Name of an endpoint's port. */
  portOf(id: string): string {
    return `${this.prefix}${id.slice(0, ID_LENGTH)}`;
  }

  /** Runs work with no request beside it. @throws ProtocolError when too much waits */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.waiting >= MOST_WAITING) throw new ProtocolError('too many requests wait; ask again in a moment');
    this.waiting++;
    const turn = this.last.then(work).finally(() => this.waiting--);
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /** See `Keeper` of the live document. */
  keep(given: Document, present: Document): Document {
    const networks = this.records.allNetworks().map(([, network]) => network);
    const names = this.records.allEndpoints().map(([id]) => this.portOf(id));
    return withLinksOf(given, present, networks, names);
  }

  strip(document: Document): Document {
    let out = document;
    for (const [id] of this.records.allEndpoints()) out = withoutEndpoint(out, this.portOf(id));
    for (const [, network] of this.records.allNetworks()) out = withoutNetwork(out, network);
    return out;
  }

  /** All networks. @throws ProtocolError when there is no room for another one */
  others(): Network[] {
    const others = this.records.allNetworks().map(([, one]) => one);
    if (others.length >= MOST_NETWORKS) throw new ProtocolError(`there are ${MOST_NETWORKS} networks, the most`);
    return others;
  }

  async addNetwork(id: string, network: Network): Promise<void> {
    await this.records.setNetwork(id, network);
    try {
      await this.access.revise((document) => withNetwork(document, network));
    } catch (error) {
      await this.records.setNetwork(id, null);
      throw error;
    }
    this.log.info({ network: short(id), vlan: network.vlan, vni: network.vni }, 'network of containers');
  }

  /** With its endpoints. */
  async removeNetwork(id: string): Promise<void> {
    const network = this.records.network(id);
    if (network === undefined) return;
    for (const [endpoint, { network: of }] of this.records.allEndpoints()) if (of === id) await this.remove(endpoint);
    await this.access.revise((document) => withoutNetwork(document, network));
    await this.records.setNetwork(id, null);
    this.log.info({ network: short(id) }, 'network of containers deleted');
  }

  /** @throws ProtocolError when there is no room for a new endpoint, or its port has the name of another one's */
  admit(id: string): void {
    const all = this.records.allEndpoints();
    if (all.some(([other]) => this.portOf(other) === this.portOf(id)))
      throw new ProtocolError(`endpoint ${short(id)}: there is one of this name already`);
    if (all.length >= MOST_ENDPOINTS) throw new ProtocolError(`there are ${MOST_ENDPOINTS} endpoints, the most`);
  }

  /** Makes the port and the NIC of an endpoint. @param endpoint with its container */
  async connect(id: string, endpoint: Endpoint, network: Network, at: Place): Promise<void> {
    const name = this.portOf(id);
    const before = this.records.endpoint(id) ?? null;
    await this.records.setEndpoint(id, endpoint);
    try {
      await this.access.revise((document) => {
        if (before?.sandbox === undefined && findLink(document, name) !== undefined)
          throw new EditRefused(`there is a link ${name} already; delete it first`, 'exists');
        return withEndpoint(withoutEndpoint(document, name), name, endpoint, network, at);
      });
    } catch (error) {
      await this.records.setEndpoint(id, before);
      throw error;
    }
    this.log.info({ port: name, network: short(endpoint.network), vlan: network.vlan }, 'container joined');
  }

  /** Deletes the port of an endpoint, and its NIC wherever it is. */
  async disconnect(id: string): Promise<void> {
    const endpoint = this.records.endpoint(id);
    if (endpoint === undefined) return;
    await this.access.revise((document) => withoutEndpoint(document, this.portOf(id)));
    const { sandbox: _, ...left } = endpoint;
    await this.records.setEndpoint(id, left);
    this.log.info({ port: this.portOf(id) }, 'container left');
  }

  /** The endpoint with its port and its record. */
  async remove(id: string): Promise<void> {
    const endpoint = this.records.endpoint(id);
    if (endpoint === undefined) return;
    await this.access.revise((document) => withoutEndpoint(document, this.portOf(id)));
    await this.records.setEndpoint(id, null);
    await this.prune(endpoint.network);
  }

  /** Removes a network that has no endpoint, if it is one that comes and goes with them. */
  async prune(network: string): Promise<void> {
    const isUsed = this.records.allEndpoints().some(([, endpoint]) => endpoint.network === network);
    if (this.prunes && !isUsed) await this.removeNetwork(network);
  }
}

export const short = (id: string): string => id.slice(0, 12);
