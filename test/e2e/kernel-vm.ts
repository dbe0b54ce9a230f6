/**
 * A virtual machine as peer of a switch: the kernel of Debian, which filters VLANs, has vxlan devices for many VNIs, VRFs, VLAN
 * interfaces and netem, whatever the kernel of this host has. Its NIC eth0 is the underlay, over a TAP of the host's kernel; eth1 and
 * eth2 are for ports of type qemu and netdev.
 */
import { mkdirSync } from 'node:fs';
import { GuestConsole } from '../../src/lab/vm/console.js';
import { guestImage } from '../../src/lab/vm/guest-image.js';
import { consolePath, guestReady, qemuCommand, streamNetdev } from '../../src/lab/vm/virtual-machine.js';
import type { World } from './host-testbed.js';
import { COUNTED, type Commands, compileCounted, LIMIT_MS, MachinePlace, type Place } from './places.js';
import type { Host } from './topologies.js';

const MODULES = [
  ...['bridge', 'veth', 'vxlan', 'geneve', '8021q', 'vrf', 'sch_netem'],
  ...['ifb', 'sch_ingress', 'cls_matchall', 'act_mirred'],
];
const MACHINE = '192.0.2.2';
/** In frames. */
const QUEUE = 20_000;

/** Of this host's programs, not of busybox, whose own would come first. */
const TOOLS = 'ip() { /usr/sbin/ip "$@"; }; bridge() { /usr/sbin/bridge "$@"; }; tc() { /usr/sbin/tc "$@"; }; ';

export class KernelVm implements Commands {
  private constructor(
    private readonly console: GuestConsole,
    private readonly host: Host,
    private readonly hostMac: string,
  ) {}

  /** Of its underlay. */
  readonly address = MACHINE;

  /** Boots it, with the underlay's NIC in `host`. @param qemuSocket where the QEMU of eth1 listens @param netdev the host's end of eth2 @param more programs of this host */
  static async boot(
    world: World,
    host: Host,
    qemuSocket: string,
    netdev: string,
    more: readonly string[] = [],
  ): Promise<KernelVm> {
    compileCounted();
    const tools = ['ip', 'bridge', 'tc'].map((name) => `/usr/sbin/${name}`);
    const image = await guestImage({ modules: MODULES, programs: [...tools, COUNTED, ...more] });
    const folder = world.path('kernel-vm');
    mkdirSync(folder);
    const tap = (ifname: string): string => `tap,ifname=${ifname},script=no,downscript=no,vhost=off`;
    const nics = [tap(host.ifname), streamNetdev(qemuSocket), tap(netdev)].map((backend, i) => ({
      netdev: backend,
      mac: `52:54:00:00:00:1${i}`,
    }));
    const command = qemuCommand({ image, folder, nics, address: `${MACHINE}/24`, memory: 256 });
    const qemu = world.spawn(host.netns, command);
    const ready = await guestReady(folder, () => qemu.running);
    const [{ address }] = await world.ipJson<{ address: string }[]>(host.netns, `link show dev ${host.ifname}`);
    const machine = new KernelVm(await GuestConsole.connect(consolePath(folder)), host, address);
    console.log(`a virtual machine with Linux ${await machine.do('uname -r')}: ${ready}`);
    await machine.quieten();
    await machine.widen(world, host.netns, [host.ifname, netdev]);
    await machine.knowHost();
    await world.ip(host.netns, `link set ${netdev} up`);
    await world.ip(host.netns, `link set ${host.ifname} up`);
    await world.address(host, `${host.address}/24`);
    await world.ip(host.netns, `neigh replace ${MACHINE} lladdr 52:54:00:00:00:10 dev ${host.ifname} nud permanent`);
    return machine;
  }

  /** It sends nothing of its own accord. */
  private async quieten(): Promise<void> {
    await this.do(
      'sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1',
      'mkdir -p /run /var/run',
      'ip link set eth1 up',
      'ip link set eth2 up',
    );
  }

  /** Queues hold what comes while QEMU waits for a processor: on a busy machine 0.3 s have been seen. */
  private async widen(world: World, netns: string, taps: string[]): Promise<void> {
    for (const tap of taps) await world.ip(netns, `link set ${tap} txqueuelen ${QUEUE}`);
    await this.do(
      `sysctl -qw net.core.netdev_max_backlog=${QUEUE} net.core.default_qdisc=pfifo_fast`,
      // A queue that was deleted is followed by one of the default kind, which is not fq_codel now: that drops what waits long.
      ...['eth0', 'eth1', 'eth2'].map(
        (nic) =>
          `ip link set ${nic} txqueuelen ${QUEUE} && tc qdisc add dev ${nic} root pfifo && tc qdisc delete dev ${nic} root`,
      ),
    );
  }

  /** Its neighbour on the underlay, which it does not ask for then; it forgets it when eth0 gets another master. */
  async knowHost(): Promise<void> {
    await this.do(`ip neigh replace ${this.host.address} lladdr ${this.hostMac} dev eth0 nud permanent`);
  }

  /** Runs commands of its shell, each of which has to succeed. @returns the output of all */
  do(...commands: string[]): Promise<string> {
    return this.console.must(TOOLS + commands.join(' && '), LIMIT_MS);
  }

  /** Runs a command that may fail. @returns its output */
  async try(command: string): Promise<string> {
    return (await this.console.run(TOOLS + command, LIMIT_MS)).output;
  }

  /** What `ip`, `bridge` or `tc` says with -json. */
  async json<T>(command: string): Promise<T> {
    return JSON.parse((await this.do(command.replace(' ', ' -json '))) || '[]') as T;
  }

  /** Makes a namespace, which sends nothing of its own accord either. */
  async place(netns: string): Promise<Place> {
    await this.do(
      `ip netns add ${netns}`,
      `ip netns exec ${netns} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1`,
      `ip -n ${netns} link set lo up`,
    );
    return new MachinePlace(this, netns);
  }

  /** Removes what tests have made: namespaces, devices, queueing. */
  async reset(): Promise<void> {
    await this.try(
      'ip -all netns delete; ' +
        'for kind in vxlan geneve bridge vlan vrf; do ip -br link show type $kind | sed "s/[ @].*//" | while read -r name; do ip link delete $name; done; done; ' +
        `ip route delete unreachable ${this.host.address}; ` +
        'tc qdisc delete dev eth0 root; tc qdisc delete dev eth0 ingress; tc qdisc delete dev ifb0 root',
    );
    await this.knowHost();
  }
}
