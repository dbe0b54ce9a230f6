/**
 * overtap as the switch of a host, run from this working tree's build and configured as a user would: a bridge, a TAP
 * for the guest, a vxlan port with one remote, everything else by default.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '../../dist/client/client.js';
import { waitUntil } from '../../dist/lab/testbed/wait.js';
import { NIC, VNI } from './site.mjs';

const OVERTAP = fileURLToPath(new URL('../../bin/overtap', import.meta.url));
const READY_LIMIT_MS = 20_000;

/**
 * Puts the switch into a host and waits until it forwards.
 * @param {{ workers?: number, tunnelGso?: boolean, beside?: string }} [settings] how many engines, and whether
 * superframes may leave whole, left out: the defaults; the YAML of further bridges, indented as `br0` is
 * @returns the processes whose memory is the switch's
 */
export async function attachOvertap(site, host, settings = {}) {
  const { program } = await startOvertap(site, host, (socket) => configuration(host, socket, settings));
  return [program];
}

/**
 * Starts a switch in a namespace and waits until it answers.
 * @param {import('./ground.mjs').Ground} ground
 * @param {{ name: string, netns: string }} host
 * @param {(socket: string) => string} configure gives the configuration file for this control socket
 * @returns the program, and a client of it
 */
export async function startOvertap(ground, host, configure) {
  const socket = join(ground.folder, `${host.name}.sock`);
  const file = join(ground.folder, `${host.name}.yaml`);
  writeFileSync(file, configure(socket));
  const program = ground.start(host.netns, [process.execPath, OVERTAP, 'run', '-c', file]);
  const client = createClient(socket);
  const answers = () => {
    if (!program.isRunning) throw new Error(`the switch of ${host.name} has ended: ${program.lastWords}`);
    return client.get('/v1/info').then(
      () => true,
      () => false,
    );
  };
  const what = `overtap of ${host.name} answers`;
  await waitUntil(answers, { what, limitMs: READY_LIMIT_MS, everyMs: 50, signal: ground.signal });
  return { program, client };
}

function configuration(host, socket, { workers, tunnelGso, beside = '' }) {
  const { netns, mac, address } = host.guest;
  return `name: ${host.name}
control: ${socket}
${workers === undefined ? '' : `workers: ${workers}\n`}${tunnelGso === undefined ? '' : `offloads: { tunnel_gso: ${tunnelGso} }\n`}bridges:
  br0:
    ports:
      tap0: { type: tap, netns: ${netns}, ifname: ${NIC}, mac: "${mac}", addresses: [${address}/24] }
      vxlan0: { type: vxlan, id: ${VNI}, local: ${host.address}, remotes: [${host.remote}] }
${beside}`;
}
