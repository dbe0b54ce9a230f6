/**
 * What `overtap page` shows of a lab that is up: its switches and guests; and frames sent into its ports, as if the guest's kernel had
 * sent them. Only NICs in namespaces that the lab made are used.
 */
import { basename } from 'node:path';
import type { LinkRow } from '../api/api.js';
import { openCapture } from '../port/capture.js';
import { toHex } from '../wire/bytes.js';
import type { LabEnvironment } from './setup/environment.js';
import type { LabState } from './setup/state.js';
import type { Station, Topology } from './setup/topology.js';
import { LabError } from './testbed/errors.js';
import type { End } from './testbed/namespaces.js';

export interface LabSite {
  readonly switches: readonly { readonly name: string; readonly socket: string }[];
  readonly guests: readonly LabGuest[];
}

export interface LabGuest {
  readonly name: string;
  /** The host, which is also its switch's name. */
  readonly switch: string;
  readonly port: string;
  readonly mac?: string;
  readonly addresses: readonly string[];
}

/** Asks the switches which of their ports belong to the lab's guests. A switch that does not answer has none. */
export async function siteOf(
  state: LabState,
  topology: Topology,
  { connect }: Pick<LabEnvironment, 'connect'>,
): Promise<LabSite> {
  const switches = state.switches.map(({ host, socket }) => ({ name: host, socket }));
  const found = await Promise.all(
    switches.map(async ({ name, socket }) => {
      const links = await connect(socket)
        .get('/v1/links')
        .catch(() => []);
      return links.flatMap((row) => guestAt(name, row, topology));
    }),
  );
  return { switches, guests: found.flat() };
}

function guestAt(host: string, row: LinkRow, topology: Topology): LabGuest[] {
  const { ifname: port } = row;
  const station = topology.stations.find((one) => isAt(one, host, row));
  if (station !== undefined) {
    const { name, mac, address } = station;
    return [{ name, switch: host, port, mac, addresses: [address] }];
  }
  const machine = topology.machines?.find((one) => one.host === host && one.name === port);
  if (machine === undefined) return [];
  return [{ name: machine.name, switch: host, port, mac: machine.mac, addresses: [machine.address] }];
}

/** Its own TAP is there, or the stream of its cable, which has weather. */
const isAt = (station: Station, host: string, row: LinkRow): boolean =>
  station.host === host &&
  ((station.netns === row.netns && station.ifname === (row.nic ?? row.ifname)) ||
    (typeof row.connect === 'string' && basename(row.connect) === `${station.name}.link`));

/** How a frame gets into a port: by the guest's NIC, or where its namespace is out of reach, by the switch, as if the port had received it. */
export type SendBy = 'nic' | 'switch';

/**
 * Sends a frame into a port of a lab: by the NIC that the guest has there, through the link's weather, if it has any; or by the switch.
 * @param times how often, from 1
 * @throws LabError LAB_NOT_UP: the lab has no such port; NativeError, SwitchRefused: the frame cannot be sent
 */
export async function sendIntoLab(
  state: LabState,
  topology: Topology,
  { connect, by }: Pick<LabEnvironment, 'connect'> & { readonly by: SendBy },
  at: { readonly switch: string; readonly port: string },
  frame: Uint8Array,
  times: number,
): Promise<void> {
  const record = state.switches.find(({ host }) => host === at.switch);
  const links = record === undefined ? [] : await connect(record.socket).get('/v1/links');
  const row = links.find(({ ifname }) => ifname === at.port);
  const nic = row && nicAt(at.switch, row, topology);
  if (nic === undefined || !state.namespaces.includes(nic.netns))
    throw new LabError('LAB_NOT_UP', `lab ${state.lab} has no guest at port ${at.port} of ${at.switch}`);
  if (by === 'switch') {
    const client = connect(record?.socket ?? '');
    const request = { port: at.port, frame: toHex(frame), apply: true };
    for (let sent = 0; sent < times; sent++) await client.post('/v1/trace', request);
    return;
  }
  const opened = openCapture({ ...nic, promiscuous: false });
  try {
    for (let sent = 0; sent < times; sent++) opened.write(frame);
  } finally {
    opened.close();
  }
}

/** The NIC behind a port. Ports without a guest, such as those of the underlay's switch, have NICs in other namespaces of the lab. */
function nicAt(host: string, row: LinkRow, topology: Topology): End | undefined {
  const station = topology.stations.find((one) => isAt(one, host, row));
  if (station !== undefined) return { netns: station.netns, ifname: station.ifname };
  return typeof row.netns === 'string' ? { netns: row.netns, ifname: row.nic ?? row.ifname } : undefined;
}
