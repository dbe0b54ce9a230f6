/** What the RIB knows of one neighbour: its place in masks, its routes as a number, and the limit of them. */
import type { NeighborConfig } from '../contract.js';
import { type Attributes, orderOf, type Payer } from './attributes.js';
import type { EventMessage } from './contract.js';

/** Part of `max_routes` at which a warning is told; below the lower one, the next warning is a new one. */
const WARN = 0.75;
const CALM = 0.7;

/**
 * Bytes for the attributes that all neighbours have named: half of the speaker's heap. Each has an equal part, so none of them takes the room of
 * another, whatever AS paths and communities it makes up for each of its routes.
 */
const ATTRIBUTE_BYTES = 1024 ** 3;

type Cause = Extract<EventMessage, { tell: 'limit' }>['cause'];

export class Neighbor implements Payer {
  /** Routes in its Adj-RIB-In. */
  routes = 0;
  stale = 0;
  /** Routes that had no room, since the session began or a refresh was asked for. */
  refused = 0;
  /** Of those: routes whose attributes had none, whatever `max_routes` is. */
  crowded = 0;
  attributeBytes = 0;
  mostAttributeBytes = ATTRIBUTE_BYTES;
  isUp = false;
  /** Order of its router identifier; empty: it was never up. */
  routerOrder = '';
  readonly order: string;
  #told: 'nothing' | 'warned' | 'refused' = 'nothing';

  constructor(
    public config: NeighborConfig,
    /** One bit. */
    readonly bit: number,
    /** Its AS is ours. */
    public isInternal: boolean,
  ) {
    this.order = orderOf(config.address);
  }

  get address(): string {
    return this.config.address;
  }

  /** @param neighbors that share the room for attributes */
  share(neighbors: number): void {
    this.mostAttributeBytes = ATTRIBUTE_BYTES / neighbors;
  }

  /** Whether these attributes may be kept. Those that are kept already cost nothing. */
  hasRoomFor({ refs, size }: Attributes): boolean {
    return refs > 0 || this.attributeBytes + size <= this.mostAttributeBytes;
  }

  /** A route has no room. Tells so, once. */
  refuse(cause: Cause, tell: (event: EventMessage) => void): void {
    this.refused++;
    if (cause === 'attributes') this.crowded++;
    if (this.#told !== 'refused') tell(this.#limit({ isRefused: true, cause }));
    this.#told = 'refused';
  }

  /** Nothing was refused: the session begins, has ended, or its routes come anew. */
  forgive(): void {
    this.refused = 0;
    this.crowded = 0;
  }

  /** Whether one more route may come. Tells, once each, that there are many and that there are too many. */
  hasRoom(tell: (event: EventMessage) => void): boolean {
    const most = this.config.max_routes;
    if (this.routes >= most) {
      this.refuse('max_routes', tell);
      return false;
    }
    if (this.#told === 'nothing' && this.routes + 1 >= most * WARN) {
      this.#told = 'warned';
      tell(this.#limit({ isRefused: false, cause: 'max_routes' }));
    }
    return true;
  }

  /** One route less. */
  lose(): void {
    this.routes--;
    if (this.#isCalm) this.#told = 'nothing';
  }

  /** True once, when refused routes would have room. */
  wantsRefresh(): boolean {
    if (!this.isUp || this.refused === 0 || !this.#isCalm) return false;
    this.forgive();
    return true;
  }

  get #isCalm(): boolean {
    return this.routes < this.config.max_routes * CALM && this.attributeBytes <= this.mostAttributeBytes * CALM;
  }

  #limit(why: { isRefused: boolean; cause: Cause }): EventMessage {
    return { tell: 'limit', address: this.address, routes: this.routes + 1, most: this.config.max_routes, ...why };
  }
}
