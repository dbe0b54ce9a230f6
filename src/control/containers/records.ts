/**
 * What the driver keeps: networks and endpoints, in one file that is replaced as a whole. A start reads what the last complete
 * write has left, whenever the switch was killed, and whether or not the disk was full.
 */
import { statSync } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../../port/folder.js';

/** Ports of a switch are as many at most (`config/rules/file.ts`). */
export const MOST_ENDPOINTS = 1000;
export const MOST_NETWORKS = 256;
/** Bytes of a file; with all records it has a third. */
const LARGEST = 4 * 1024 * 1024;

const NETWORK = z.object({
  bridge: z.string(),
  /** Absent: a bridge without VLANs. */
  vlan: z.int().optional(),
  /** Absent: the network does not leave this host. */
  vni: z.int().optional(),
  /** The vxlan port to which the driver has added the VNI. Absent: the configuration has it. */
  port: z.string().optional(),
  remotes: z.array(z.string()),
  mtu: z.int().optional(),
  gateway: z.string().optional(),
  gateway6: z.string().optional(),
});

const ENDPOINT = z.object({
  network: z.string(),
  mac: z.string(),
  /** Namespace of the container that it was last joined to; absent: none. */
  sandbox: z.string().optional(),
  /** Name of the NIC in the container; absent: its engine counts from eth0. */
  ifname: z.string().optional(),
  /** Put on the NIC by the switch, each with its prefix length; absent: its engine does that. */
  addresses: z.array(z.string()).optional(),
});

const FILE = z.object({
  version: z.literal(1),
  networks: z.record(z.string(), NETWORK),
  endpoints: z.record(z.string(), ENDPOINT),
});

export type Network = z.output<typeof NETWORK>;
export type Endpoint = z.output<typeof ENDPOINT>;

/** The file cannot be used; the message gives the reason and the remedy. */
export class RecordsError extends Error {
  override readonly name = 'RecordsError';
}

export class Records {
  private readonly networks = new Map<string, Network>();
  private readonly endpoints = new Map<string, Endpoint>();
  private isEnded = false;

  /** @param option of the configuration that names the folder, such as `cni.state` */
  private constructor(
    private readonly path: string,
    private readonly option: string,
  ) {}

  /**
   * Reads the file, or begins with an empty one; makes its folder.
   * @param former path of the file in earlier versions: a file there is moved to `path`, unless that has one
   * @throws RecordsError
   */
  static async open(path: string, option: string, former?: string): Promise<Records> {
    const records = new Records(path, option);
    try {
      makeFolder(dirname(path), 0o700);
      if (former !== undefined) await moveThere(former, path);
      await rm(records.temporary, { force: true });
      await records.load();
    } catch (error) {
      throw error instanceof RecordsError ? error : records.unusable(error);
    }
    return records;
  }

  network(id: string): Network | undefined {
    return this.networks.get(id);
  }

  endpoint(id: string): Endpoint | undefined {
    return this.endpoints.get(id);
  }

  allNetworks(): [id: string, network: Network][] {
    return [...this.networks];
  }

  allEndpoints(): [id: string, endpoint: Endpoint][] {
    return [...this.endpoints];
  }

  /** Sets or removes a network, on disk first. @throws RecordsError; nothing has changed then */
  setNetwork(id: string, network: Network | null): Promise<void> {
    return this.set(this.networks, id, network);
  }

  setEndpoint(id: string, endpoint: Endpoint | null): Promise<void> {
    return this.set(this.endpoints, id, endpoint);
  }

  /** The file is another process's from now on. */
  end(): void {
    this.isEnded = true;
  }

  private async set<V>(map: Map<string, V>, id: string, value: V | null): Promise<void> {
    const before = map.get(id);
    const put = (to: V | null | undefined): unknown =>
      to === null || to === undefined ? map.delete(id) : map.set(id, to);
    put(value);
    try {
      await this.save();
    } catch (error) {
      put(before);
      throw error;
    }
  }

  /** @throws RecordsError; the file is as before then */
  private async save(): Promise<void> {
    if (this.isEnded) throw new RecordsError('another process has the switch; ask again');
    const { temporary, path } = this;
    const text = JSON.stringify({
      version: 1,
      networks: Object.fromEntries(this.networks),
      endpoints: Object.fromEntries(this.endpoints),
    });
    try {
      await rm(temporary, { force: true });
      // Never through a link that somebody has put there.
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw new RecordsError(`${path} cannot be written: ${(error as Error).message}; ask again once that is mended`);
    }
  }

  private async load(): Promise<void> {
    const there = statSync(this.path, { throwIfNoEntry: false });
    if (there === undefined) return;
    // Of a FIFO no end would come.
    if (!there.isFile()) throw new Error('it is no file');
    if (there.size > LARGEST) throw new Error(`it has more than ${LARGEST} bytes`);
    const { networks, endpoints } = FILE.parse(JSON.parse(await readFile(this.path, 'utf8')));
    for (const [id, network] of Object.entries(networks)) this.networks.set(id, network);
    for (const [id, endpoint] of Object.entries(endpoints))
      if (this.networks.has(endpoint.network)) this.endpoints.set(id, endpoint);
  }

  private get temporary(): string {
    return `${this.path}.new`;
  }

  private unusable(error: unknown): RecordsError {
    const [reason] = (error as Error).message.split('\n');
    return new RecordsError(
      `${this.option}: ${this.path} cannot be used: ${reason}; remove it if no container of this driver runs, or choose another folder`,
    );
  }
}

/** The file is one switch's: who comes second finds nothing to move. */
async function moveThere(former: string, path: string): Promise<void> {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  await rename(former, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}
