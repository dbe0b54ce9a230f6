/** A folder that stands for /sys/class/net: the links of a namespace, with the files that brctl reads of bridges and their ports. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FdbRow, LinkRow } from '../api/api.js';
import { macBytes } from '../netlink/addresses.js';
import { STATES } from '../netlink/bridge-options.js';
import { NetlinkFault } from '../netlink/fault.js';
import { portsOf } from './bridge-codes.js';
import type { View } from './view.js';

/** Milliseconds for which a folder is used again: brctl reads many files for one listing. */
const FRESH_MS = 300;
/** The library has room for this many bytes of a path. */
const PATH_BYTES = 256;

interface Tree {
  readonly path: string;
  readonly at: number;
}

/** A name that may be one in a folder. */
const isPlain = (name: string): boolean => /^[^/]{1,32}$/.test(name) && name !== '.' && name !== '..';

export class SysfsTrees {
  private readonly trees = new Map<number, Tree>();

  /** @param folder of this program's own */
  constructor(private readonly folder: string) {}

  /** After a change. */
  forget(netns: number): void {
    const known = this.trees.get(netns);
    if (known !== undefined) this.trees.set(netns, { ...known, at: Number.NEGATIVE_INFINITY });
  }

  /** The path of the folder, padded with zeros. */
  async of(view: View): Promise<Buffer> {
    const { netns } = view.caller;
    const known = this.trees.get(netns);
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return padded(known.path);
    const path = join(this.folder, `sys-${netns}`);
    const made = mkdtempSync(`${path}-`);
    await fill(made, view);
    rmSync(path, { recursive: true, force: true });
    renameSync(made, path);
    this.trees.set(netns, { path, at: performance.now() });
    return padded(path);
  }
}

function stateOf({ state, operstate }: LinkRow): number {
  const known = STATES.indexOf(String(state));
  return operstate !== 'UP' ? 0 : known >= 0 ? known : 3;
}

function padded(path: string): Buffer {
  const out = Buffer.alloc(PATH_BYTES);
  if (Buffer.byteLength(path) >= PATH_BYTES) throw new NetlinkFault('the path of a folder is too long');
  out.write(path);
  return out;
}

async function fill(folder: string, view: View): Promise<void> {
  const rows = await view.links();
  for (const { name } of await view.kernel.links()) {
    // Files of a port that its folder has not are the kernel's.
    const isOwn = rows.some((row) => row.ifname === name && (row.type === 'bridge' || row.master !== undefined));
    if (isPlain(name) && !isOwn) symlinkSync(join('/sys/class/net', name), join(folder, name));
  }
  for (const row of rows) if (row.type === 'bridge' && isPlain(row.ifname)) await fillBridge(folder, view, rows, row);
}

/** As the kernel writes it: without colons. */
const idText = (id: unknown): string | undefined => (typeof id === 'string' ? id.replaceAll(':', '') : undefined);

async function fillBridge(folder: string, view: View, rows: readonly LinkRow[], row: LinkRow): Promise<void> {
  const own = join(folder, row.ifname);
  const id = `8000.${(row.address ?? '00:00:00:00:00:00').replaceAll(':', '')}`;
  mkdirSync(join(own, 'bridge'), { recursive: true });
  mkdirSync(join(own, 'brif'));
  const files = {
    ...{
      bridge_id: idText(row.bridge_id) ?? id,
      root_id: idText(row.root_id) ?? id,
      stp_state: row.stp_state === true ? '1' : '0',
      ageing_time: String(Number(row.ageing_time ?? 300) * 100),
    },
    ...{ hello_time: String(row.hello_time ?? 200), forward_delay: String(row.forward_delay ?? 1500) },
    ...{ max_age: String(row.max_age ?? 2000), priority: String(row.priority ?? 32_768), root_port: '0' },
    ...{
      root_path_cost: String(row.root_path_cost ?? 0),
      hello_timer: '0',
      tcn_timer: '0',
      topology_change_timer: '0',
      gc_timer: '0',
    },
    ...{ topology_change: '0', topology_change_detected: '0', group_addr: '1:80:c2:0:0:0' },
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(own, 'bridge', name), `${text}\n`);
  const ports = portsOf(rows, row);
  for (const [at, port] of ports.entries()) {
    if (!isPlain(port.ifname)) continue;
    const folders = [join(own, 'brif', port.ifname), join(folder, port.ifname, 'brport')];
    for (const one of folders) await fillPort(one, view, port, at + 1, id);
  }
  const entries = await view.client.get(`/v1/fdb?br=${encodeURIComponent(row.ifname)}` as '/v1/fdb');
  const numbers = new Map(ports.map(({ ifname }, at) => [ifname, at + 1]));
  writeFileSync(join(own, 'brforward'), Buffer.concat(entries.map((entry) => entryBytes(entry, numbers))));
}

const ENTRY_BYTES = 16;
const ZERO_MAC = '00:00:00:00:00:00';

/** `struct __fdb_entry`: MAC, port, whether it is local, age in hundredths of a second, upper bits of the port. */
function entryBytes({ mac, ifname, state, updated }: FdbRow, numbers: ReadonlyMap<string, number>): Buffer {
  if (mac === ZERO_MAC) return Buffer.alloc(0);
  const out = Buffer.alloc(ENTRY_BYTES);
  const number = numbers.get(ifname) ?? 0;
  macBytes(mac).copy(out, 0);
  out.writeUInt8(number & 0xff, 6);
  out.writeUInt8(state === 'permanent' ? 1 : 0, 7);
  out.writeUInt32LE((Number(updated ?? 0) * 100) >>> 0, 8);
  out.writeUInt8((number >> 8) & 0xff, 12);
  return out;
}

async function fillPort(folder: string, view: View, row: LinkRow, number: number, bridge: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const id = `0x${(0x8000 | number).toString(16)}`;
  const files = {
    ...{ port_no: `0x${number.toString(16)}`, port_id: id, designated_port: id },
    ...{ priority: String(row.priority ?? 32), path_cost: String(row.cost ?? 2) },
    ...{ state: String(stateOf(row)), designated_root: bridge, designated_bridge: bridge },
    ...{ designated_cost: '0', message_age_timer: '0', forward_delay_timer: '0', hold_timer: '0' },
    hairpin_mode: row.hairpin === true ? '1' : '0',
    ...{ change_ack: '0', config_pending: '0', ifindex: String(await view.indexOf(row)) },
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), `${text}\n`);
}
