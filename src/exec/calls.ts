/** The ioctls of brctl, ifconfig and of names (`src/native/exec/names.c`), each with a `struct ifreq`. */
import type { LinkRow } from '../api/api.js';
import { SwitchRefused, SwitchUnreachable } from '../client/client.js';
import { ERRNO, NetlinkFault } from '../netlink/fault.js';
import { attach } from './attach.js';
import { carryCode } from './bridge-codes.js';
import type { Dispatched } from './dispatch.js';
import { bridgeWithoutSwitch } from './no-switch.js';
import type { Caller, Conversation } from './exchange.js';
import { setDeviceDown } from './host-device.js';
import { Kernel } from './kernel.js';
import type { SysfsTrees } from './sysfs.js';
import { removeLink } from './new-link.js';
import { deviceOf, refuseHiddenName, View } from './view.js';

/** Of `names.c`: no ioctl. */
const SYSFS = 1;

/** linux/sockios.h. */
const SIOC = {
  GIFNAME: 0x8910,
  GIFFLAGS: 0x8913,
  SIFFLAGS: 0x8914,
  GIFINDEX: 0x8933,
  GIFTXQLEN: 0x8942,
  BRADDBR: 0x89a0,
  BRDELBR: 0x89a1,
  BRADDIF: 0x89a2,
  BRDELIF: 0x89a3,
  DEVPRIVATE: 0x89f0,
} as const;

const NAME_BYTES = 16;
const IFREQ_BYTES = 40;
/** IFF_UP, IFF_BROADCAST, IFF_RUNNING, IFF_MULTICAST. */
const FLAGS = { UP: 1, OTHERS: 0x1042 } as const;
const TXQLEN = 1000;

export interface CallResult {
  readonly errno: number;
  readonly bytes: Buffer;
}

/** @returns null: the kernel's */
export async function answerCall(
  { switches, report }: Dispatched,
  caller: Caller,
  bytes: Buffer,
  conversation: Pick<Conversation, 'ask'>,
  sysfs: SysfsTrees,
): Promise<CallResult | null> {
  if (bytes.length < 4 + IFREQ_BYTES) return null;
  const ifreq = Buffer.from(bytes.subarray(4, 4 + IFREQ_BYTES));
  try {
    const request = bytes.readUInt32LE(0);
    const isNew = request === SIOC.BRADDBR;
    const here = (await switches.of(caller.netns)) ?? (isNew ? await switches.of(caller.netns, true) : undefined);
    if (here === undefined) {
      if (isNew) throw bridgeWithoutSwitch();
      return null;
    }
    const view = new View(here.client, new Kernel(conversation), caller, here.links);
    if (request === SYSFS) return { errno: 0, bytes: await sysfs.of(view) };
    const result = await carry(view, request, ifreq);
    sysfs.forget(caller.netns);
    return result;
  } catch (error) {
    return { errno: errnoOf(error, report), bytes: ifreq };
  }
}

function errnoOf(error: unknown, report: (error: unknown) => void): number {
  if (error instanceof NetlinkFault) return error.errno;
  if (error instanceof SwitchRefused) return error.code === 'exists' ? ERRNO.EEXIST : ERRNO.EINVAL;
  if (!(error instanceof SwitchUnreachable)) report(error);
  return ERRNO.ENETDOWN;
}

async function carry(view: View, request: number, ifreq: Buffer): Promise<CallResult | null> {
  const done = { errno: 0, bytes: ifreq };
  const name = nameIn(ifreq);
  if (request === SIOC.BRADDBR) {
    refuseHiddenName(name);
    if ((await view.byName(name)) !== undefined) throw new NetlinkFault('the link exists', ERRNO.EEXIST);
    await view.post({ op: 'add', name, type: 'bridge', options: { host_port: true, up: false } });
    await setDeviceDown(view, name);
    return done;
  }
  if (request === SIOC.GIFNAME) {
    const row = await view.byIndex(ifreq.readInt32LE(NAME_BYTES));
    if (row === undefined) return null;
    ifreq.fill(0, 0, NAME_BYTES).write(row.ifname, 0, NAME_BYTES - 1);
    return done;
  }
  const row = await view.byName(name);
  if (row === undefined) return null;
  if (request === SIOC.SIFFLAGS) return setFlags(view, row, ifreq);
  if (request === SIOC.BRDELBR) await deleteBridge(view, row);
  else if (request === SIOC.BRADDIF) await attach(view, row, ifreq.readInt32LE(NAME_BYTES), true);
  else if (request === SIOC.BRDELIF) await attach(view, row, ifreq.readInt32LE(NAME_BYTES), false);
  else if (request === SIOC.DEVPRIVATE) {
    if (row.type !== 'bridge') return null;
    const answer = await carryCode(view, row, ifreq.subarray(NAME_BYTES));
    if (answer !== undefined) return { errno: 0, bytes: answer };
  } else if (request === SIOC.GIFINDEX) ifreq.writeInt32LE(await view.indexOf(row), NAME_BYTES);
  else if (request === SIOC.GIFTXQLEN) ifreq.writeInt32LE(TXQLEN, NAME_BYTES);
  else if (request === SIOC.GIFFLAGS) ifreq.writeInt16LE(FLAGS.OTHERS | (row.up === false ? 0 : FLAGS.UP), NAME_BYTES);
  else return null;
  return done;
}

/** As br_del_bridge() of the kernel, which protects a bridge in use from a mistyped name. */
async function deleteBridge(view: View, row: LinkRow): Promise<void> {
  if (row.type !== 'bridge') throw new NetlinkFault(`${row.ifname} is no bridge`, ERRNO.EPERM);
  if (row.up !== false) throw new NetlinkFault(`${row.ifname} is up`, ERRNO.EBUSY);
  await removeLink(view, row);
}

/** `ifconfig X up`: of the port and, by the kernel, of its device. @returns null: the kernel goes on */
async function setFlags(view: View, row: LinkRow, ifreq: Buffer): Promise<CallResult | null> {
  if (row.type === 'netdev') return null;
  const up = (ifreq.readInt16LE(NAME_BYTES) & FLAGS.UP) !== 0;
  if (up !== (row.up !== false)) await view.post({ op: 'set', name: row.ifname, options: { up } });
  return deviceOf(row) === undefined ? { errno: 0, bytes: ifreq } : null;
}

function nameIn(ifreq: Buffer): string {
  const end = ifreq.indexOf(0);
  return ifreq.toString('utf8', 0, end < 0 || end > NAME_BYTES ? NAME_BYTES : end);
}
