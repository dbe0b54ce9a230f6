/** The links of a switch as the programs of its namespace see them: each has an index, and some a device of the kernel. */
import type { LinkRequest, LinkRow } from '../api/api.js';
import type { SwitchClient } from '../client/client.js';
import { ERRNO, NetlinkFault } from '../netlink/fault.js';
import type { Caller } from './exchange.js';
import type { Kernel, KernelLink } from './kernel.js';
import { Waiting } from './waiting.js';

/** Indices of links without a device; the kernel's own stay far below. */
const FIRST_VIRTUAL = 0x4000_0000;

/** The same in each process and at each time, since scripts keep indices: a hash of the name (FNV-1a). */
export function virtualIndex(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return FIRST_VIRTUAL | (hash & 0x3fffffff);
}

export const isVirtual = (index: number): boolean => index >= FIRST_VIRTUAL;

/** The device that a link has in the switch's namespace; undefined: it has none there. */
export function deviceOf(row: LinkRow): string | undefined {
  if (row.type === 'bridge' || row.type === 'vxlan' || row.type === 'geneve') {
    return row.host_port === true ? row.ifname : undefined;
  }
  if (!['tap', 'tun', 'netdev'].includes(row.type)) return undefined;
  if (typeof row.netns === 'string' || row.nic_netns !== undefined) return undefined;
  return row.nic ?? row.ifname;
}

/** A bridge that only gives a tunnel device its host port (`host-device.ts`). */
const isHidden = (name: unknown): name is string => typeof name === 'string' && /^hp-[0-9a-f]{8}$/.test(name);

/** A name that no listing would show. @throws NetlinkFault */
export function refuseHiddenName(name: string): void {
  if (name.includes('@')) throw new NetlinkFault('a name with "@" is of a host port; choose another name');
  if (isHidden(name)) throw new NetlinkFault(`overtap exec has names such as ${name} for itself; choose another name`);
}

/** The rows that a listing has: not the host port of a vxlan port, which is the port's own device, and no hidden bridge. */
function shown(rows: readonly LinkRow[]): LinkRow[] {
  const all = rows.filter(({ ifname }) => !ifname.includes('@') && !isHidden(ifname));
  return all.map((row) => {
    if (!isHidden(row.master)) return row;
    const { master, ...rest } = row;
    return { ...rest, hidden_bridge: master } as LinkRow;
  });
}

/** The hidden bridge of a tunnel device. */
export const hiddenBridgeOf = (row: LinkRow): string | undefined =>
  typeof row.hidden_bridge === 'string' ? row.hidden_bridge : undefined;

/** Milliseconds for which a switch's links are believed; what is not among them is always looked for anew. */
const FRESH_MS = 200;

/** The links that a switch had a moment ago: a command of a script asks several times, and most change no link. */
export class LinkCache {
  private rows: Promise<readonly LinkRow[]> | undefined;
  private at = Number.NEGATIVE_INFINITY;
  /** A change came after the rows. */
  isOutdated = false;

  constructor(private readonly client: SwitchClient) {}

  /** @param age of the rows in milliseconds, at most */
  read(age: number): Promise<readonly LinkRow[]> {
    const now = performance.now();
    if (this.rows === undefined || now - this.at > age) {
      this.at = now;
      this.isOutdated = false;
      const rows = this.client.get('/v1/links?details=1').then(shown);
      this.rows = rows;
      rows.catch(() => this.forget());
    }
    return this.rows;
  }

  forget(): void {
    this.rows = undefined;
  }

  /** Something has been changed: links are the same, but rows count entries and groups. */
  outdate(): void {
    this.isOutdated = true;
  }
}

/** One request of one program. */
export class View {
  private rows: Promise<readonly LinkRow[]> | undefined;

  constructor(
    readonly client: SwitchClient,
    readonly kernel: Kernel,
    readonly caller: Caller,
    private readonly cache: LinkCache = new LinkCache(client),
    /** What waits for VLANs of its VNIs. */
    readonly waiting: Waiting = new Waiting(),
  ) {}

  /** All links, with every option in force, as they are now. */
  links(): Promise<readonly LinkRow[]> {
    this.rows ??= this.cache.read(0);
    return this.rows;
  }

  /** After a change. */
  changed(): void {
    this.rows = undefined;
    this.cache.forget();
    this.kernel.changed();
  }

  /** Changes a link. @throws SwitchRefused */
  async post(request: LinkRequest): Promise<void> {
    this.changed();
    await this.client.post('/v1/links', request);
    this.changed();
  }

  /** A row that is to be told, with what it counts. */
  async current(row: LinkRow): Promise<LinkRow> {
    if (!this.cache.isOutdated) return row;
    this.rows = this.cache.read(0);
    return (await this.rows).find(({ ifname }) => ifname === row.ifname) ?? row;
  }

  async byName(name: string): Promise<LinkRow | undefined> {
    const find = (rows: readonly LinkRow[]): LinkRow | undefined =>
      rows.find((row) => (deviceOf(row) ?? row.ifname) === name) ?? rows.find((row) => row.ifname === name);
    const rows = await this.recent();
    return this.keep(rows, find(rows)) ?? find(await this.links());
  }

  async byIndex(index: number): Promise<LinkRow | undefined> {
    const rows = await this.recent();
    return this.keep(rows, await this.inRows(rows, index)) ?? this.inRows(await this.links(), index);
  }

  /** Goes on with rows in which the link was found. */
  private keep(rows: readonly LinkRow[], found: LinkRow | undefined): LinkRow | undefined {
    if (found !== undefined) this.rows ??= Promise.resolve(rows);
    return found;
  }

  private recent(): Promise<readonly LinkRow[]> {
    return this.rows ?? this.cache.read(FRESH_MS);
  }

  private async inRows(rows: readonly LinkRow[], index: number): Promise<LinkRow | undefined> {
    if (isVirtual(index)) return rows.find(({ ifname }) => virtualIndex(ifname) === index);
    if (!rows.some((row) => deviceOf(row) !== undefined)) return undefined;
    const name = (await this.kernel.byIndex(index))?.name;
    return name === undefined ? undefined : rows.find((row) => deviceOf(row) === name);
  }

  /** The link that a request means. @throws NetlinkFault ENODEV */
  async need(index: number): Promise<LinkRow> {
    const row = await this.byIndex(index);
    if (row === undefined) throw new NetlinkFault('no such link', ERRNO.ENODEV);
    return row;
  }

  /** The kernel's device of a link, where it is there. */
  async device(row: LinkRow): Promise<KernelLink | undefined> {
    const name = deviceOf(row);
    return name === undefined ? undefined : this.kernel.byName(name);
  }

  async indexOf(row: LinkRow): Promise<number> {
    return (await this.device(row))?.index ?? virtualIndex(row.ifname);
  }

  /** Index by the name that the switch has for the link; 0: none. */
  async indexOfName(name: string | undefined): Promise<number> {
    if (name === undefined) return 0;
    const row = (await this.links()).find(({ ifname }) => ifname === name);
    return row === undefined ? 0 : this.indexOf(row);
  }
}
