/**
 * overtap as the switch of a host, from this working tree's build: a bridge, a port for each guest, a vxlan port with one remote,
 * and defaults for all other options.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient, type SwitchClient } from '../../../client/client.js';
import type { Program } from '../../../lab/testbed/program.js';
import { waitUntil } from '../../../lab/testbed/wait.js';
import type { TunnelCounters } from '../proof/path.js';
import type { Ground } from '../site/ground.js';
import { type Host, NIC, type Site, VNI } from '../site/site.js';
import type { RunningSwitch } from './variant.js';

const OVERTAP = fileURLToPath(new URL('../../../../bin/overtap', import.meta.url));
const READY_LIMIT_MS = 20_000;

/** Options that differ from the defaults. */
interface Settings {
  /** The interfaces to attach, one for each guest. Without it, each guest has a TAP. */
  readonly interfaces?: readonly string[];
  /** Number of engines. */
  readonly workers?: number;
  /** Whether superframes may be sent unsegmented (tunnel GSO). */
  readonly tunnelGso?: boolean;
  /** Whether the kernel carries known flows. */
  readonly flow?: boolean;
  /** The YAML of further bridges, indented as `br0` is. */
  readonly beside?: string;
}

/** Starts the switch of a host and waits until it answers. */
export async function attachOvertap(site: Site, host: Host, settings: Settings = {}): Promise<RunningSwitch> {
  const { program, client } = await startOvertap(site, host, (socket) => configuration(site, host, socket, settings));
  const tunnel = async (): Promise<TunnelCounters> => {
    const { links, tunnel_gso: superframes = 0 } = await client.get('/v1/stats');
    const { tx_bytes: txBytes, rx_bytes: rxBytes } = links.vxlan0;
    return { txBytes, rxBytes, superframes };
  };
  return { processes: [program], ...(host.uplink === undefined ? {} : { tunnel }) };
}

/** The same, with one end of a veth pair to each guest attached as a port. */
export async function attachNetdev(site: Site, host: Host): Promise<RunningSwitch> {
  return attachOvertap(site, host, { interfaces: await site.addGuestPairs(host) });
}

/** ... and known flows are carried by the kernel. */
export async function attachCarried(site: Site, host: Host): Promise<RunningSwitch> {
  return attachOvertap(site, host, { interfaces: await site.addGuestPairs(host), flow: true });
}

/**
 * Starts a switch in a namespace and waits until it answers.
 * @param configure returns the text of the configuration file for a control socket
 * @returns the program and a client of its control socket
 */
export async function startOvertap(
  ground: Ground,
  host: { readonly name: string; readonly netns: string },
  configure: (socket: string) => string,
): Promise<{ program: Program; client: SwitchClient }> {
  const socket = join(ground.folder, `${host.name}.sock`);
  const file = join(ground.folder, `${host.name}.yaml`);
  writeFileSync(file, configure(socket));
  const program = ground.start(host.netns, [process.execPath, OVERTAP, 'run', '-c', file]);
  const client = createClient(socket);
  const answers = (): Promise<boolean> => {
    if (!program.running) throw new Error(`the switch of ${host.name} has ended: ${program.lastWords}`);
    return client.get('/v1/info').then(
      () => true,
      () => false,
    );
  };
  const what = `overtap of ${host.name} answers`;
  await waitUntil(answers, { what, limitMs: READY_LIMIT_MS, everyMs: 50, signal: ground.signal });
  return { program, client };
}

function configuration(site: Site, host: Host, socket: string, settings: Settings): string {
  const { interfaces, beside = '' } = settings;
  // A vxlan port sets the guests' MTU by itself: that is checked (Site.checkGuests).
  const mtu = host.uplink === undefined ? `, mtu: ${site.guestMtu}` : '';
  const taps = host.guests.map(
    ({ netns, mac, address }, index) =>
      `tap${index}: { type: tap, netns: ${netns}, ifname: ${NIC}, mac: "${mac}", addresses: [${address}/24]${mtu} }`,
  );
  const ports = interfaces === undefined ? taps : interfaces.map((name) => `${name}: { type: netdev }`);
  if (host.uplink !== undefined) {
    const { address, remote } = host.uplink;
    // The kernel carries no flow whose outer checksum it would have to complete.
    const checksum = interfaces === undefined ? '' : ', udpcsum: false';
    ports.push(`vxlan0: { type: vxlan, id: ${VNI}, local: "${address}", remotes: ["${remote}"]${checksum} }`);
  }
  return `name: ${host.name}
control: ${socket}
${engineLines(settings)}bridges:
  br0:
    ports:
${ports.map((port) => `      ${port}\n`).join('')}${beside}`;
}

function engineLines({ workers, tunnelGso, flow }: Settings): string {
  const offloads = [
    ...(tunnelGso === undefined ? [] : [`tunnel_gso: ${tunnelGso}`]),
    ...(flow === true ? ['flow: auto'] : []),
  ];
  const lines = [
    ...(workers === undefined ? [] : [`workers: ${workers}`]),
    ...(offloads.length === 0 ? [] : [`offloads: { ${offloads.join(', ')} }`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
