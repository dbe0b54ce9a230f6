/** What the RIB knows of one neighbour: its place in masks, its routes as a number, and the limit of them. */
import type { NeighborConfig } from '../contract.js';
import { orderOf } from './attributes.js';
import type { EventMessage } from './contract.js';

/** Part of `max_routes` at which a warning is told; below the lower one, the next warning is a new one. */
const WARN = 0.75;
const CALM = 0.7;

export class Neighbor {
  /** Routes in its Adj-RIB-In. */
  routes = 0;
  stale = 0;
  /** Routes that had no room, since the session began or a refresh was asked for. */
  refused = 0;
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

  /** Whether one more route may come. Tells, once each, that there are many and that there are too many. */
  hasRoom(tell: (event: EventMessage) => void): boolean {
    const most = this.config.max_routes;
    if (this.routes >= most) {
      this.refused++;
      if (this.#told !== 'refused') tell(this.#limit(true));
      this.#told = 'refused';
      return false;
    }
    if (this.#told === 'nothing' && this.routes + 1 >= most * WARN) {
      this.#told = 'warned';
      tell(this.#limit(false));
    }
    return true;
  }

  /** One route less. */
  lose(): void {
    this.routes--;
    if (this.routes < this.config.max_routes * CALM) this.#told = 'nothing';
  }

  /** True once, when refused routes would have room. */
  wantsRefresh(): boolean {
    if (!this.isUp || this.refused === 0 || this.routes >= this.config.max_routes * CALM) return false;
    this.refused = 0;
    return true;
  }

  #limit(isRefused: boolean): EventMessage {
    return { tell: 'limit', address: this.address, routes: this.routes + 1, most: this.config.max_routes, isRefused };
  }
}
