/**
 * trafgen: its frames and its senders. Each sender is a process that uses `send`, which waits while the socket's buffer is
 * full; trafgen's ring is no faster here and gives up in that case. trafgen binds its sender to the first core, which is
 * undone.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, type Program } from '../../../lab/testbed/program.js';
import { waitUntil } from '../../../lab/testbed/wait.js';
import { type Guest, NIC, type Site } from '../site/site.js';

/** Bytes of the Ethernet header, which some devices leave out of their counters. */
export const ETHERNET_BYTES = 14;

/** Length of the headers before the payload. */
const HEADERS = 14 + 20 + 8;

/** A UDP datagram from a guest to an address. @param mac of the frame's destination @param size of the frame in bytes, without FCS */
export function datagram(from: Guest, to: Pick<Guest, 'address'>, mac: string, size: number): string {
  return `{
  eth(da=${mac}, sa=${from.mac}),
  ipv4(ttl=64, sa=${from.address}, da=${to.address}),
  udp(sp=9000, dp=9),
  fill(0x55, ${size - HEADERS}),
}
`;
}

/**
 * A frame from which switches learn the MAC behind guest 2: its EtherType is for local experiments (IEEE Std 802). Routers also learn its address,
 * from an ARP announcement (RFC 5227 section 2.3).
 */
export function announcement({ behind, guests, isRouted }: Site): string {
  const { address, mac } = behind;
  if (!isRouted) return `{ eth(da=${guests[0].mac}, sa=${mac}, type=0x88b5), fill(0x00, 50) }\n`;
  const words = `op=request, smac=${mac}, sip=${address}, tip=${address}`;
  return `{ eth(da=ff:ff:ff:ff:ff:ff, sa=${mac}), arp(${words}), fill(0x00, 18) }\n`;
}

/** Sends one frame from a guest. */
export function sendOnce(site: Site, guest: Guest, frame: string): Promise<string> {
  return site.run(guest.netns, [...command(site, 'once', frame), '-n', '1']);
}

/** Starts senders in a guest. Each repeats a frame as fast as it can until it is stopped. */
export async function startSenders(site: Site, guest: Guest, frame: string, count: number): Promise<Program[]> {
  const words = [...command(site, 'senders', frame), '--gap', '0'];
  const senders = Array.from({ length: count }, () => site.start(guest.netns, words));
  await Promise.all(senders.map((sender) => untie(sender, site.signal)));
  return senders;
}

/** Starts a sender of broadcasts by a NIC of a host, one every `gapMs` milliseconds. */
export function startBroadcasts(site: Site, netns: string, ifname: string, gapMs: number): Program {
  const frame = '{ eth(da=ff:ff:ff:ff:ff:ff, sa=02:00:00:00:b0:99, type=0x88b5), fill(0x00, 50) }\n';
  return site.start(netns, [...command(site, 'broadcasts', frame, ifname), '--gap', `${gapMs}ms`]);
}

/** A command line that leaves the settings of the machine unchanged. */
function command(site: Site, name: string, frame: string, ifname = NIC): string[] {
  const file = join(site.folder, `${name}.cfg`);
  writeFileSync(file, frame);
  return ['trafgen', '-o', ifname, '-i', file, '-P', '1', '--no-cpu-stats', '--notouch-irq', '--no-sock-mem'];
}

/** Allows a sender all cores again. trafgen sends from a child process, which first binds itself to the first core. */
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

/** The allowed cores of a process in the kernel's notation, such as `0-1`. */
function allowedCores(pid: string): string {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  return /^Cpus_allowed_list:\s+(\S+)/m.exec(text)?.[1] ?? '';
}
