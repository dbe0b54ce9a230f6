/**
 * Owns trafgen: the frames that it is told to send, and its senders. Each sender is a process of its own that waits in
 * the kernel while its socket's buffer is full: trafgen's ring, which is no faster here, gives up when that happens. It
 * is let off the first core, to which trafgen ties it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, type Program } from '../../lab/testbed/program.js';
import { waitUntil } from '../../lab/testbed/wait.js';
import { type Guest, NIC, type Site } from './site.js';

/** Without FCS, the headers before the payload. */
const HEADERS = 14 + 20 + 8;

/** An IPv4 datagram of UDP, `size` bytes long as a frame, from one guest to a MAC at another. */
export function datagram(from: Guest, to: Guest, mac: string, size: number): string {
  return `{
  eth(da=${mac}, sa=${from.mac}),
  ipv4(sa=${from.address}, da=${to.address}),
  udp(sp=9000, dp=9),
  fill(0x55, ${size - HEADERS}),
}
`;
}

/** A frame by which switches learn that a MAC is here; its type is the one for local experiments (IEEE 802). */
export function announcement(mac: string, to: Guest): string {
  return `{ eth(da=${to.mac}, sa=${mac}, type=0x88b5), fill(0x00, 50) }\n`;
}

/** Sends one frame from a guest. */
export function sendOnce(site: Site, guest: Guest, frame: string): Promise<string> {
  return site.run(guest.netns, [...command(site, 'once', frame), '-n', '1']);
}

/** Starts senders in a guest, each of which sends a frame again and again, as fast as it can, until it is stopped. */
export async function startSenders(site: Site, guest: Guest, frame: string, count: number): Promise<Program[]> {
  const words = [...command(site, 'senders', frame), '--gap', '0'];
  const senders = Array.from({ length: count }, () => site.start(guest.netns, words));
  await Promise.all(senders.map((sender) => untie(sender, site.signal)));
  return senders;
}

/** Starts a sender of broadcasts from a NIC of a host, one every `gapMs` milliseconds. */
export function startBroadcasts(site: Site, netns: string, ifname: string, gapMs: number): Program {
  const frame = '{ eth(da=ff:ff:ff:ff:ff:ff, sa=02:00:00:00:b0:99, type=0x88b5), fill(0x00, 50) }\n';
  return site.start(netns, [...command(site, 'broadcasts', frame, ifname), '--gap', `${gapMs}ms`]);
}

/** It is not to touch the machine's own settings. */
function command(site: Site, name: string, frame: string, ifname = NIC): string[] {
  const file = join(site.folder, `${name}.cfg`);
  writeFileSync(file, frame);
  return ['trafgen', '-o', ifname, '-i', file, '-P', '1', '--no-cpu-stats', '--notouch-irq', '--no-sock-mem'];
}

/** trafgen sends from a child, which binds itself to the first core before it begins. */
async function untie(sender: Program, signal: AbortSignal): Promise<void> {
  const isTied = (): boolean => {
    if (!sender.running) throw new Error(`${sender.name} ended too early: ${sender.lastWords}`);
    const child = childOf(sender.pid);
    return child !== null && allowedCores(child) === '0';
  };
  const all = allowedCores('self');
  if (all === '0') return;
  await waitUntil(isTied, { what: `${sender.name} sends`, limitMs: 5000, everyMs: 5, signal });
  await must(['taskset', '-p', '-c', all, childOf(sender.pid) ?? '']);
}

function childOf(pid: number): string | null {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')[0] || null;
}

/** As the kernel lists them: `0-1`. */
function allowedCores(pid: string): string {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  return /^Cpus_allowed_list:\s+(\S+)/m.exec(text)?.[1] ?? '';
}
