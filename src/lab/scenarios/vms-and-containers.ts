/**
 * Labs vms-and-containers and vms-and-containers-unicast: a container and a virtual machine on each of two hosts, on one bridge, in one
 * VNI. The machines are real: QEMU with Debian's kernel. By default their QEMU listens on a socket to which the port connects. In the
 * unicast form the second one has a macvtap on the port's TAP, and with it all offloads.
 *
 *      c1 10.0.0.11   vm1 10.0.0.21          c2 10.0.0.12   vm2 10.0.0.22
 *             '--- br0 ---'                         '--- br0 ---'
 *                vxlan0 ============================== vxlan0       VNI 100, UDP 4789, group 239.0.0.1 or remotes
 *              192.0.2.1                              192.0.2.2
 */
import { dirname } from 'node:path';
import type { ObservedDatagram } from '../capture/observed-frame.js';
import type { Sniffer } from '../capture/sniffer.js';
import { allPing, containerEnd, type Endpoint, endsMtu, endsTransfer, machineEnd } from '../checks/endpoints.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { GUEST_MTU, pairsOf } from '../checks/probes.js';
import type { Lab } from '../lab.js';
import { machineSocket } from '../setup/machines.js';
import { machineFolder, type SwitchFiles } from '../setup/state.js';
import { type Host, type Machine, type Station, type Topology, UNDERLAY_NIC, underlayOf } from '../setup/topology.js';
import { becomesTrue } from '../testbed/wait.js';
import { cableOf, otherOf, tapPort, twoHosts } from './yaml-fragments.js';

const VNI = 100;
const GROUP = '239.0.0.1';
/** A QEMU's socket is tried again within a second, and a guest's kernel repeats an ARP request after one. */
const BACK_LIMIT_MS = 20_000;
/** Positions in a virtio device's features: it may leave checksums to the host, and send TCP unsegmented. */
const FEATURE_CSUM = 0;
const FEATURE_HOST_TSO4 = 11;

interface Form {
  readonly name: string;
  readonly prefix: string;
  readonly summary: string;
  readonly floods: 'group' | 'remotes';
  /** How each of the two machines is attached. */
  readonly attachments: readonly [Machine['attachment'], Machine['attachment']];
}

function labOf(form: Form): Lab {
  const hosts = twoHosts(form.prefix, (number) => `h${number}`);
  const stations = hosts.map(({ name, netns }, index): Station => {
    const number = index + 1;
    const address = `10.0.0.1${number}`;
    return {
      name: `c${number}`,
      netns: `${netns}-c`,
      ifname: 'eth0',
      address,
      host: name,
      mac: `02:00:00:00:01:0${number}`,
    };
  });
  const machines = hosts.map(({ name, netns }, index): Machine => {
    const number = index + 1;
    const attachment = form.attachments[index] as Machine['attachment'];
    return {
      name: `vm${number}`,
      host: name,
      netns,
      address: `10.0.0.2${number}`,
      mac: `52:54:00:00:01:0${number}`,
      attachment,
    };
  });
  const segment = form.floods === 'group' ? { segment: { name: 'net', netns: `${form.prefix}-net` } } : {};
  const topology = { hosts, stations, machines, ...segment };
  return {
    name: form.name,
    summary: form.summary,
    topology,
    config: (host, files) => config(form, topology, host, files),
    check: (inspection) => check(form, topology, inspection),
  };
}

type VmTopology = Topology & { readonly machines: readonly Machine[] };

// ---- Configuration ----

function config(
  { name, floods }: Form,
  { hosts, stations, machines }: VmTopology,
  host: Host,
  files: SwitchFiles,
): string {
  const isOwn = (one: { readonly host: string }): boolean => one.host === host.name;
  const container = stations.find(isOwn) as Station;
  const machine = machines.find(isOwn) as Machine;
  const flood =
    floods === 'group' ? [`group: ${GROUP}`, `dev: ${UNDERLAY_NIC}`] : [`remotes: [${otherOf(hosts, host).address}]`];
  return `# Lab ${name}, host ${host.name}.
name: ${host.name}
control: ${files.socket}
bridges:
  br0:
    ports:${tapPort(cableOf(container))}${machinePort(machine, files)}
      vxlan0:
        type: vxlan
        id: ${VNI}
        local: ${host.address}
        dstport: 4789
        ${flood.join('\n        ')}
`;
}

function machinePort({ name, mac, attachment }: Machine, files: SwitchFiles): string {
  const socket = machineSocket(machineFolder(dirname(files.socket), name));
  const lines =
    attachment === 'socket'
      ? ['type: qemu', `connect: ${socket}    # QEMU listens there`]
      : ['type: tap', `mac: ${mac}          # the machine's: its NIC is a macvtap on this TAP`, 'persist: true'];
  return `\n      ${name}:${lines.map((line) => `\n        ${line}`).join('')}`;
}

// ---- Claims ----

async function check(form: Form, topology: VmTopology, inspection: Inspection): Promise<void> {
  const { hosts, stations, machines } = topology;
  const ends = [
    ...stations.map((station) => containerEnd(inspection, station)),
    ...machines.map((machine) => machineEnd(inspection, machine)),
  ];
  const last = machines.at(-1) as Machine;
  await inspection.prove('the ports of the machines are up', () => portsAreUp(inspection, machines));
  await inspection.prove('the containers have the MTU that the underlay allows, and the machines were told of it', () =>
    endsMtu(ends, GUEST_MTU),
  );
  await inspection.prove('checksums and segmentation are left to the host by macvtap, and not by a socket', () =>
    offloadsAre(inspection, machines),
  );
  const wire = inspection.sniffUnderlay(underlayOf(hosts[0] as Host));
  await inspection.prove('all pairs of containers and machines reach each other', () => allPing(ends));
  await inspection.prove(`all datagrams are in VNI ${VNI}, and floods go to the ${form.floods}`, async () =>
    headersAreRight(form, hosts, wire),
  );
  wire.stop();
  for (const [from, to] of pairsOf(ends))
    await inspection.prove(`10 MiB over TCP from ${from.name} to ${to.name}`, () => endsTransfer(from, to));
  await inspection.prove(`${last.name} is switched off, boots again, and all reach each other`, () =>
    machineReturns(inspection, last, ends),
  );
  await inspection.prove(`the switch of ${last.host} is killed, starts again, and all reach each other`, () =>
    switchReturns(inspection, last, ends),
  );
}

async function portsAreUp(inspection: Inspection, machines: readonly Machine[]): Promise<Seen> {
  let states: string[] = [];
  const holds = await becomesTrue(
    async () => {
      const rows = await Promise.all(
        machines.map(async ({ host, name }) => {
          const links = await inspection.client(host).get('/v1/links');
          return links.find(({ ifname }) => ifname === name);
        }),
      );
      states = machines.map(({ name }, index) => `${name} ${rows[index]?.type} ${rows[index]?.operstate}`);
      return rows.every((row) => row?.operstate === 'UP');
    },
    { limitMs: BACK_LIMIT_MS, everyMs: 100, signal: inspection.signal },
  );
  return { holds, seen: states.join(', ') };
}

/** What the guest's kernel has agreed on with QEMU. */
async function offloadsAre(inspection: Inspection, machines: readonly Machine[]): Promise<Seen> {
  const seen: string[] = [];
  let holds = true;
  for (const machine of machines) {
    const features = await (await inspection.guest(machine)).must('cat /sys/class/net/eth0/device/features');
    const has = [FEATURE_CSUM, FEATURE_HOST_TSO4].map((bit) => features[bit] === '1');
    holds &&= has.every((one) => one === (machine.attachment === 'macvtap'));
    seen.push(
      `${machine.name} by ${machine.attachment}: checksum ${has[0] ? 'on' : 'off'}, TSO ${has[1] ? 'on' : 'off'}`,
    );
  }
  return { holds, seen: seen.join('; ') };
}

function headersAreRight({ floods }: Form, hosts: readonly Host[], wire: Sniffer): Seen {
  wire.drain();
  const addresses = hosts.map(({ address }) => address);
  const toGroup = wire.tunnel.filter(({ to }) => to === GROUP).length;
  const isRight = ({ from, to, vni }: ObservedDatagram): boolean =>
    vni === VNI && addresses.includes(from) && (addresses.includes(to) || to === GROUP);
  const wrong = wire.tunnel.filter((one) => !isRight(one)).length;
  const rest = wrong > 0 ? `; ${wrong} wrong` : '';
  return {
    holds: wire.tunnel.length > toGroup && wrong === 0 && toGroup > 0 === (floods === 'group'),
    seen: `${wire.tunnel.length} datagrams at ${hosts[0]?.name}, ${toGroup} of them to ${GROUP}${rest}`,
  };
}

async function machineReturns(inspection: Inspection, machine: Machine, ends: readonly Endpoint[]): Promise<Seen> {
  const how = await inspection.endMachine(machine);
  const start = performance.now();
  await inspection.startMachine(machine);
  const booted = ((performance.now() - start) / 1000).toFixed(1);
  const { holds, seen } = await allReturn(inspection, machine, ends);
  return { holds: holds && how !== 'not running', seen: `booted in ${booted} s; ${seen}` };
}

async function switchReturns(inspection: Inspection, machine: Machine, ends: readonly Endpoint[]): Promise<Seen> {
  const how = await inspection.endSwitch(machine.host, 'SIGKILL');
  await inspection.startSwitch(machine.host);
  const { holds, seen } = await allReturn(inspection, machine, ends);
  return { holds: holds && how === 'killed', seen: `the switch was ${how}; ${seen}` };
}

/** The first frames may be lost while the port and the other host find out. */
async function allReturn(inspection: Inspection, machine: Machine, ends: readonly Endpoint[]): Promise<Seen> {
  const end = ends.find(({ name }) => name === machine.name) as Endpoint;
  const others = ends.filter((one) => one !== end);
  const start = performance.now();
  for (const { address } of others)
    await becomesTrue(async () => (await end.ping(address, 1)) === 1, {
      limitMs: BACK_LIMIT_MS,
      signal: inspection.signal,
    });
  const back = ((performance.now() - start) / 1000).toFixed(1);
  const { holds, seen } = await allPing(ends);
  return { holds, seen: `${machine.name} reached all after ${back} s; ${seen}` };
}

export const vmsAndContainers: Lab = labOf({
  name: 'vms-and-containers',
  prefix: 'ovt-vms',
  summary:
    'containers and real virtual machines of QEMU on two hosts, by a multicast group; machines and switches restart',
  floods: 'group',
  attachments: ['socket', 'socket'],
});

export const vmsAndContainersUnicast: Lab = labOf({
  name: 'vms-and-containers-unicast',
  prefix: 'ovt-vmu',
  summary: 'the same by unicast remotes; one machine has all offloads, by a macvtap',
  floods: 'remotes',
  attachments: ['socket', 'macvtap'],
});
