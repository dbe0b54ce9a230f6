/**
 * One MAC of one VNI: all routes that name it, the own claim, and who has it (RFC 7432 section 15).
 *
 * The choice is made at once with each change, since moves are counted; what is told to the control thread is the difference at the
 * time when it asks.
 */
import type { LocalMac, RemoteMac } from '../contract.js';
import { stalenessOf } from './best.js';
import type { Duplicates, Holder } from './duplicates.js';
import { bestClaim, isPinnedElsewhere, isSameSegment, type LocalClaim, localStays, nextSequence } from './mobility.js';
import type { Nlri, Place } from './path.js';
import type { PrefixEntry } from './prefix-entry.js';

/** Routes of one MAC in one VNI, of all VTEPs and addresses. Further ones are not imported: each change looks at all of them. */
export const MAX_CANDIDATES = 1024;

export interface MacSurroundings {
  readonly vni: number;
  /** `orderOf` of the own VTEP. */
  readonly vtepOrder: string;
  readonly duplicates: Duplicates;
  /** Its rows may differ from those that were told. */
  mark(entry: MacEntry): void;
  /** The own routes of this MAC have changed. */
  publish(entry: MacEntry): void;
}

/** A MAC of this switch. */
export interface LocalState {
  sequence: number;
  isSticky: boolean;
  isGateway: boolean;
  /** Learned while the MAC is frozen elsewhere: not announced. */
  isPending: boolean;
  /** Announced without an address, too. */
  isPlain: boolean;
  /** Addresses; true: of a router. */
  ips: ReadonlyMap<string, boolean>;
}

const NO_IPS: ReadonlyMap<string, boolean> = new Map();
const NO_ROWS: readonly RemoteMac[] = [];
const NOTHING: readonly never[] = [];

export class MacEntry implements Place {
  candidates: readonly Nlri[] = [];
  local: LocalState | null = null;
  told = NO_ROWS;
  /** Undefined: nobody has it. */
  holder: Holder | undefined = undefined;
  /** Keys of its own routes. */
  published: readonly string[] = NOTHING;
  /** Host routes that it stands in front of. */
  hosts: readonly PrefixEntry[] = NOTHING;

  constructor(
    readonly mac: string,
    private readonly around: MacSurroundings,
  ) {}

  get vni(): number {
    return this.around.vni;
  }

  /** Its key in the table. */
  get key(): string {
    return this.mac;
  }

  /** Whether nothing needs it any more. */
  get isEmpty(): boolean {
    return this.candidates.length === 0 && this.local === null && this.told.length === 0;
  }

  add(nlri: Nlri): boolean {
    if (this.candidates.length >= MAX_CANDIDATES) return false;
    this.candidates = [...this.candidates, nlri];
    this.settle();
    return true;
  }

  remove(nlri: Nlri): void {
    this.candidates = this.candidates.filter((one) => one !== nlri);
    this.settle();
  }

  change(): void {
    this.settle();
  }

  /** The MAC, or an address of it, was learned here. */
  learn({ ip, sticky, isGateway, isRouter }: LocalMac): void {
    const local = this.local ?? this.#claim(sticky, isGateway);
    if (local === null) return;
    this.local = local;
    local.isSticky = sticky;
    local.isGateway = isGateway;
    if (ip === undefined) local.isPlain = true;
    else local.ips = new Map(local.ips).set(ip, isRouter);
    this.settle();
  }

  /** The MAC, or an address of it, is here no more. */
  forget({ ip }: LocalMac): void {
    const { local } = this;
    if (local === null) return;
    if (ip === undefined) local.isPlain = false;
    else {
      const left = new Map(local.ips);
      left.delete(ip);
      local.ips = left;
    }
    if (!local.isPlain && local.ips.size === 0) this.local = null;
    this.settle(true);
  }

  /** Chooses anew. @param hadLocal own routes may have to be withdrawn */
  settle(hadLocal = this.local !== null): void {
    this.holder = this.#isHeld() ? this.holder : this.#choose();
    if (this.local !== null && !this.local.isPending && this.holder !== null) this.local = null;
    if (hadLocal || this.local !== null) this.around.publish(this);
    this.around.mark(this);
  }

  /** What the control thread should have. */
  rows(): readonly RemoteMac[] {
    const { holder } = this;
    if (holder === undefined || holder === null) return NO_ROWS;
    const chosen = bestClaim(this.candidates, ({ chosen }) => chosen.attributes.vtep === holder);
    if (chosen === null) return NO_ROWS;
    const rows = [this.#row(chosen)];
    const isFrozen = this.#isFrozen();
    for (const [ip, nlri] of byAddress(this.candidates)) {
      if (!isFrozen || nlri.chosen.attributes.vtep === holder) rows.push(this.#row(nlri, ip));
    }
    return rows;
  }

  /** A claim of a MAC that was not here; null: it is pinned elsewhere. */
  #claim(isSticky: boolean, isGateway: boolean): LocalState | null {
    const remote = bestClaim(this.candidates);
    if (remote !== null && !isSticky && !isGateway && isPinnedElsewhere(remote)) {
      this.around.duplicates.conflict(this.vni, this.mac, remote.chosen.attributes.vtep, null);
      return null;
    }
    const isPending = this.#isFrozen() && typeof this.holder === 'string';
    const sequence = isGateway ? 0 : nextSequence(this.candidates);
    return { sequence, isSticky, isGateway, isPending, isPlain: false, ips: NO_IPS };
  }

  /** Whether the MAC is frozen, and whoever had it has it still. */
  #isHeld(): boolean {
    if (!this.#isFrozen() || this.holder === undefined) return false;
    return this.holder === null ? this.local !== null : this.#best(this.holder) !== null;
  }

  #choose(): Holder | undefined {
    const remote = bestClaim(this.candidates);
    if (this.local?.isPending) {
      this.local.isPending = false;
      this.local.sequence = nextSequence(this.candidates);
    }
    const next = this.#between(remote);
    const before = this.holder;
    if (before === undefined || next === undefined || before === next || !this.#isMove(before, remote)) return next;
    if (this.around.duplicates.allows(this.vni, this.mac, before, next)) return next;
    if (before !== null && this.local !== null) this.local.isPending = true;
    return before;
  }

  /** Who has it: this switch, or the best remote one. */
  #between(remote: Nlri | null): Holder | undefined {
    const claim = this.#localClaim();
    if (remote === null) return claim === null ? undefined : null;
    const { vtep, isGateway, isSticky, sequence } = remote.chosen.attributes;
    if (claim === null) return vtep;
    if (!localStays(claim, remote)) {
      if (isPinnedElsewhere(remote)) this.around.duplicates.conflict(this.vni, this.mac, vtep, null);
      return vtep;
    }
    const isPinned = claim.isGateway || claim.isSticky;
    if (isPinned && !isGateway && (isSticky || sequence > claim.sequence)) {
      this.around.duplicates.conflict(this.vni, this.mac, null, vtep);
    }
    return null;
  }

  /** Whether whoever had it still claims it: then it has moved, unless it is an anycast gateway or of one Ethernet segment. */
  #isMove(before: Holder, remote: Nlri | null): boolean {
    if (this.local?.isGateway || remote?.chosen.attributes.isGateway) return false;
    if (before === null) return this.local !== null;
    const former = this.#best(before);
    if (former === null || former.chosen.attributes.isGateway || stalenessOf(former.chosen) === 2) return false;
    return this.local !== null || remote === null || !isSameSegment(former, remote);
  }

  #best(vtep: string): Nlri | null {
    return bestClaim(this.candidates, ({ chosen }) => chosen.attributes.vtep === vtep);
  }

  #isFrozen(): boolean {
    return this.around.duplicates.isFrozen(this.vni, this.mac);
  }

  #localClaim(): LocalClaim | null {
    if (this.local === null) return null;
    const { sequence, isSticky, isGateway } = this.local;
    return { sequence, isSticky, isGateway, vtepOrder: this.around.vtepOrder };
  }

  #row(nlri: Nlri, ip?: string): RemoteMac {
    const { route, attributes } = nlri.chosen;
    const { nd, routerMac } = attributes.value.extended;
    const row: RemoteMac = {
      vni: this.vni,
      mac: this.mac,
      remote: attributes.vtep,
      sticky: attributes.isSticky,
      isGateway: attributes.isGateway,
      isRouter: ip !== undefined && (nd?.router ?? false),
    };
    if (route.type !== 2) return row;
    if (route.label !== this.vni) row.sentVni = route.label;
    if (ip === undefined) return row;
    row.ip = ip;
    if (route.label2 === undefined || routerMac === undefined) return row;
    row.l3vni = route.label2;
    row.routerMac = routerMac;
    return row;
  }
}

/** The best route for each address. */
function byAddress(candidates: readonly Nlri[]): Map<string, Nlri> {
  const groups = new Map<string, Nlri[]>();
  for (const nlri of candidates) {
    const { route } = nlri.chosen;
    if (route.type !== 2 || route.ip === undefined) continue;
    const group = groups.get(route.ip);
    if (group === undefined) groups.set(route.ip, [nlri]);
    else group.push(nlri);
  }
  const best = new Map<string, Nlri>();
  for (const [ip, group] of groups) best.set(ip, bestClaim(group) as Nlri);
  return best;
}
