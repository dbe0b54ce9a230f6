/**
 * Open vSwitch's userspace datapath as the switch of a host: a separate database and ovs-vswitchd for each host, with all files
 * in the site's folder, independent of an Open vSwitch that this machine may run.
 *
 * Its userspace tunnels need two bridges: br-phy with the underlay NIC and the host's address, br0 with the guest's TAP and
 * the vxlan port. A host without an underlay has br0 only, with one end of a veth pair to each guest. All other options have
 * their defaults.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { must, type Program } from '../../../lab/testbed/program.js';
import { waitUntil } from '../../../lab/testbed/wait.js';
import { type Host, NIC, type Site, type Uplink, VNI } from '../site/site.js';
import type { RunningSwitch } from './variant.js';

const START_LIMIT_MS = 15_000;
/** `ovs-vsctl` waits this many seconds for ovs-vswitchd to apply a change. */
const VSCTL_LIMIT_S = 15;

/** The same with userspace TSO, which is off by default. It takes no effect unless it is set before ovs-vswitchd opens a port. */
export function attachOvsTso(site: Site, host: Host): Promise<RunningSwitch> {
  return attachOvs(site, host, ['other_config:userspace-tso-enable=true']);
}

/** Starts the switch of a host. @param config of the switch as a whole */
export async function attachOvs(site: Site, host: Host, config: readonly string[] = []): Promise<RunningSwitch> {
  const folder = join(site.folder, `ovs-${host.name}`);
  mkdirSync(folder);
  const env = { OVS_RUNDIR: folder, OVS_LOGDIR: folder, OVS_DBDIR: folder, OVS_SYSCONFDIR: folder };
  const at = (name: string): string => join(folder, name);
  const database = `unix:${at('db.sock')}`;
  const vsctl: Vsctl = (...words) =>
    site.run(host.netns, ['ovs-vsctl', `--timeout=${VSCTL_LIMIT_S}`, `--db=${database}`, ...words], {
      env,
      limitMs: (VSCTL_LIMIT_S + 5) * 1000,
    });

  await site.run(host.netns, ['ovsdb-tool', 'create', at('conf.db')], { env });
  const ovsdb = site.start(
    host.netns,
    ['ovsdb-server', at('conf.db'), `--remote=p${database}`, `--unixctl=${at('ovsdb.ctl')}`],
    { env },
  );
  await running(site, ovsdb, () => vsctl('--no-wait', 'init'));
  if (config.length > 0) await vsctl('--no-wait', 'set', 'Open_vSwitch', '.', ...config);
  const vswitchd = site.start(
    host.netns,
    ['ovs-vswitchd', database, `--unixctl=${at('vswitchd.ctl')}`, '--disable-system'],
    { env },
  );
  if (host.uplink === undefined) await addLocalPorts(site, host, vsctl);
  else await addPathPorts(site, host, host.uplink, vsctl);
  return { processes: [vswitchd, ovsdb] };
}

type Vsctl = (...words: string[]) => Promise<string>;

async function addLocalPorts(site: Site, host: Host, vsctl: Vsctl): Promise<void> {
  const names = await site.addGuestPairs(host);
  // Without userspace TSO, its packet sockets pass no superframes and leave unfinished checksums as they are.
  for (const { netns } of host.guests) await must(['ip', 'netns', 'exec', netns, 'ethtool', '-K', NIC, 'tx', 'off']);
  await vsctl(...bridge('br0'), ...names.flatMap((name) => port('br0', name)));
}

async function addPathPorts(site: Site, host: Host, uplink: Uplink, vsctl: Vsctl): Promise<void> {
  await vsctl(...bridge('br-phy'), ...port('br-phy', NIC));
  await vsctl(
    ...bridge('br0'),
    ...port('br0', 'tap0', 'type=tap', `mtu_request=${site.guestMtu}`),
    ...port('br0', 'vxlan0', 'type=vxlan', `options:remote_ip="${uplink.remote}"`, `options:key=${VNI}`),
  );
  await must(['ip', '-n', host.netns, 'address', 'flush', 'dev', NIC]);
  await must(['ip', '-n', host.netns, 'link', 'set', 'br-phy', 'up']);
  await site.addUnderlayAddress({ netns: host.netns, ifname: 'br-phy' }, uplink);
  await site.handOver(host, 'tap0', host.guests[0]);
}

/** Arguments of ovs-vsctl that add a bridge of the userspace datapath. */
function bridge(name: string): string[] {
  return ['--', 'add-br', name, '--', 'set', 'bridge', name, 'datapath_type=netdev'];
}

function port(bridgeName: string, name: string, ...settings: string[]): string[] {
  const set = settings.length === 0 ? [] : ['--', 'set', 'interface', name, ...settings];
  return ['--', 'add-port', bridgeName, name, ...set];
}

/** Waits until a server answers. */
async function running(site: Site, program: Program, ask: () => Promise<string>): Promise<void> {
  const answers = (): Promise<boolean> => {
    if (!program.running) throw new Error(`${program.name} has ended: ${program.lastWords}`);
    return ask().then(
      () => true,
      () => false,
    );
  };
  await waitUntil(answers, {
    what: `${program.name} answers`,
    limitMs: START_LIMIT_MS,
    everyMs: 50,
    signal: site.signal,
  });
}
