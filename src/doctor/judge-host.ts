/**
 * Judges the facts of a host. Pure: facts in, checks out.
 */
import type { OffloadConfig } from '../config/types.js';
import { MISSING_REMEDY } from '../exec/native-files.js';
import { refusalsOf } from '../port/refusals.js';
import { nsenter } from '../port/rootless.js';
import { command } from '../text/shell.js';
import { type Check, fail, ok, warn } from './check.js';
import type { HostFacts, Namespaces, SocketFacts } from './host-facts.js';

/** Bytes of the socket buffers that a switch requests (RECEIVE_BUFFER and SEND_BUFFER of src/port/underlay.ts). */
const WANTED = { rmem_max: 8 * 1024 * 1024, wmem_max: 4 * 1024 * 1024 };

const AS_ROOT = 'run it as root, or give the container that capability';

/** @param running a switch runs already, so missing capabilities of this process do not affect it */
export function judgeHost(facts: HostFacts, offloads: OffloadConfig, running: boolean): Check[] {
  return [
    judgeRights(facts, running),
    judgeTun(facts),
    ...judgeFeatures(facts, offloads),
    ...judgeRefusals(facts, running),
    ...judgeBuffers(facts),
    ...judgePrograms(facts),
    judgeIcmp(facts),
  ];
}

function judgeRights({ rights, noNamespaces }: HostFacts, running: boolean): Check {
  if (noNamespaces === null) {
    const finding = "not root: switches and labs run in namespaces of their own, without the host's devices";
    return warn('rights', finding, `for NICs and tunnels of the host ${AS_ROOT}`);
  }
  if (!rights.netAdmin) {
    const more = noNamespaces === undefined ? '' : `, and no namespaces of its own: ${noNamespaces.reason}`;
    const finding = `CAP_NET_ADMIN is missing: a switch that is started like this can make no TAP${more}`;
    const way = noNamespaces === undefined ? AS_ROOT : `${noNamespaces.remedy}; or ${AS_ROOT}`;
    return running ? warn('rights', finding, way) : fail('rights', finding, way);
  }
  if (!rights.netRaw)
    return warn('rights', 'CAP_NET_RAW is missing: nothing can be pinged, and no device bound to', AS_ROOT);
  return ok('rights', 'CAP_NET_ADMIN and CAP_NET_RAW');
}

function judgeTun({ tunError }: HostFacts): Check {
  const subject = '/dev/net/tun';
  if (tunError === undefined) return ok(subject, 'usable');
  const missing = tunError === 'ENOENT' || tunError === 'ENODEV' || tunError === 'ENXIO';
  const remedy = missing
    ? 'load the module with "modprobe tun", or give the container that device'
    : tunError === 'EACCES'
      ? 'its permissions do not let this user open it: run it as root, or "chmod 0666 /dev/net/tun"'
      : 'let the container use that device (character device 10:200)';
  return fail(subject, `not usable (${tunError})`, remedy);
}

/** Kernel features with their descriptions and configuration keys; unsegmented UDP shares the key of unsegmented TCP. */
const FEATURES = [
  ['vnetHeader', 'virtio-net header', 'vnet_header'],
  ['tso', 'TSO from TAPs', 'tso'],
  ['uso', 'USO from TAPs', 'tso'],
  ['udpSegment', 'UDP_SEGMENT', 'udp_segment'],
  ['tunnelGso', 'UDP tunnel GSO', 'tunnel_gso'],
  ['udpGro', 'UDP_GRO', 'udp_gro'],
  ['packetRing', 'PACKET_RX_RING', 'packet_ring'],
  ['ioUring', 'io_uring', 'io_uring'],
  ['flows', 'known flows in the kernel', 'flow'],
] as const;

const NEEDS_NO_TAP: ReadonlySet<string> = new Set(['udpSegment', 'udpGro', 'packetRing', 'flows']);

const OF_FEATURES = 'kernel features';

/** An offload and its state on this host. */
interface Feature {
  name: (typeof FEATURES)[number][0];
  words: string;
  key: (typeof FEATURES)[number][2];
  wanted: boolean | 'auto';
  works: boolean;
  reason: string | undefined;
}

function judgeFeatures({ features, addonError, rights, tunError }: HostFacts, offloads: OffloadConfig): Check[] {
  if (features === undefined)
    return [fail(OF_FEATURES, addonError ?? 'not tried', 'until then devices and remotes are not examined either')];
  const rows = FEATURES.map(
    ([name, words, key]): Feature => ({
      ...{ name, words, key, wanted: wantedOf(offloads[key]) },
      ...{ works: features[name], reason: features.reasons[name] },
    }),
  );
  // These need a TAP for the probe. Another check reports why there is none.
  const blind = !rights.netAdmin || tunError !== undefined;
  const known = ({ works, name }: Feature): boolean => works || !blind || NEEDS_NO_TAP.has(name);
  return [
    ...judgePresent(rows),
    ...rows.filter(known).flatMap(judgeOptional),
    ...rows.filter((row) => known(row) && row.wanted === true && !row.works).map(judgeMissing),
  ];
}

/** `auto` of `flow` is a wish: it is off otherwise. */
function wantedOf(value: OffloadConfig[Feature['key']]): boolean | 'auto' {
  return value === 'off' ? false : value;
}

/** An offload that works but has a reason against its use is disabled unless configured. */
const isLeftAlone = ({ wanted, works, reason }: Feature): boolean => wanted === 'auto' && works && reason !== undefined;

function judgePresent(rows: readonly Feature[]): Check[] {
  const used = rows.filter((row) => row.wanted && row.works && !isLeftAlone(row)).map(({ words }) => words);
  const off = [...new Set(rows.filter(({ key, wanted }) => !wanted && key !== 'flow').map(({ key }) => key))];
  const findings = [
    ...(used.length === 0 ? [] : [used.join(', ')]),
    ...(off.length === 0 ? [] : [`switched off by the configuration: ${off.join(', ')}`]),
  ];
  return findings.length === 0 ? [] : [ok(OF_FEATURES, findings.join('; '))];
}

/** A missing offload is no problem unless it is configured: most kernels lack it. */
function judgeOptional(row: Feature): Check[] {
  const { name, words, key, wanted, works, reason } = row;
  if (isLeftAlone(row)) return [ok(OF_FEATURES, `${words}: ${reason}; "${key}: true" uses it all the same`)];
  if (wanted !== 'auto' || works) return [];
  const costs = COSTS[name] ?? 'TCP leaves in trains of datagrams';
  return [ok(OF_FEATURES, `no ${words}${bracketed(reason)}: ${costs}`)];
}

const COSTS: Partial<Record<Feature['name'], string>> = {
  ioUring: 'a system call for each frame of a TAP',
  flows: 'they go through the switch, as with "flow: off"',
};

const SINCE: Partial<Record<Feature['name'], string>> = {
  uso: 'Linux 6.2',
  tunnelGso: 'Linux 6.17',
  ioUring: 'Linux 6.4',
  flows: 'Linux 6.6',
};

function judgeMissing({ name, words, reason }: Feature): Check {
  const finding = `no ${words}${bracketed(reason)}: the switch works, and is slower`;
  return warn(OF_FEATURES, finding, `${SINCE[name] ?? 'a newer kernel'} has it`);
}

const bracketed = (reason: string | undefined): string => (reason === undefined ? '' : ` (${reason})`);

/** Rights, /dev/net/tun and socket buffers have checks of their own. */
const CHECKED_APART: ReadonlySet<string> = new Set(['tap', 'buffers']);

/**
 * What the kernel or a sandbox refuses besides offloads. A running switch may have rights that this process lacks.
 */
function judgeRefusals({ features, rights }: HostFacts, running: boolean): Check[] {
  if (features === undefined || (running && !rights.netAdmin)) return [];
  return refusalsOf(features)
    .filter(({ trial }) => !CHECKED_APART.has(trial))
    .map(({ part, reason, costs, remedy }) => warn(`${part} refused`, `done without (${reason}): ${costs}`, remedy));
}

/** CAP_NET_ADMIN in the initial user namespace overrides the limits (SO_RCVBUFFORCE). */
function judgeBuffers({ rights, features, rmemMax, wmemMax }: HostFacts): Check[] {
  if (rights.netAdmin && rights.initialUsers && features?.buffers !== false) return [];
  return (
    [
      ['rmem_max', rmemMax],
      ['wmem_max', wmemMax],
    ] as const
  ).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const subject = `net.core.${name}`;
    if (value >= WANTED[name]) return [ok(subject, `${value} bytes`)];
    const finding = `${value} bytes, and the limit cannot be exceeded from here: bursts may be lost`;
    return [warn(subject, finding, `sysctl -w ${subject}=${WANTED[name]} on the host`)];
  });
}

function judgeIcmp({ noIcmp }: HostFacts): Check {
  const subject = 'pings';
  if (noIcmp === undefined) return ok(subject, 'can be sent');
  const remedies = {
    addon: 'the addon that overtap needs is missing: see above',
    rights: 'run it as root, or with CAP_NET_RAW',
    other: 'see what the kernel says',
  };
  const finding = `cannot be sent (${noIcmp.message}): remotes and path MTU are judged by the routes alone`;
  return warn(subject, finding, remedies[noIcmp.lack]);
}

/** A switch needs neither, so only the place of the plugin, which runtimes ask for, is said of what is there. */
function judgePrograms({ programs: { execLibrary, cniPlugin } }: HostFacts): Check[] {
  const plugin = 'CNI plugin';
  return [
    ...(execLibrary === undefined
      ? [warn('overtap exec', 'its library overtap-exec.so is missing', MISSING_REMEDY)]
      : []),
    cniPlugin === undefined ? warn(plugin, 'overtap-cni is missing', MISSING_REMEDY) : ok(plugin, cniPlugin),
  ];
}

export function judgeSocket({ path, error, isSocket, mode }: SocketFacts): Check {
  const subject = `control socket ${path}`;
  if (error !== undefined) return warn(subject, `cannot be looked at (${error})`, 'check the path and its permissions');
  if (!isSocket) return fail(subject, 'is no socket', 'remove that file, or name another with "control:"');
  const text = mode.toString(8).padStart(4, '0');
  if ((mode & 0o077) === 0) return ok(subject, `mode ${text}`);
  return warn(subject, `mode ${text}: others than its owner may change the switch`, command`chmod 600 ${path}`);
}

/** What a running switch may do: the rights that it has kept. */
export function judgeSwitchRights(capabilities: readonly string[] | undefined, pid: number): Check[] {
  if (capabilities === undefined) return [];
  const finding = capabilities.length === 0 ? 'no capabilities' : capabilities.join(', ');
  return [ok(`rights of the switch, process ${pid}`, finding)];
}

/** @returns no check if they are the same */
export function judgeNamespaces(namespaces: Namespaces, pid: number, socketPath: string): Check[] {
  const subject = 'network namespace';
  if (namespaces.state === 'same') return [];
  if (namespaces.state === 'unknown') {
    const finding = `that of the switch, process ${pid}, cannot be read (${namespaces.code}); taken to be this one`;
    return [warn(subject, finding, 'run doctor as root, where the switch runs')];
  }
  const { name, isForeign } = namespaces;
  const unnamed = isForeign ? nsenter(pid).join(' ') : `nsenter --net=/proc/${pid}/ns/net`;
  const enter = name === undefined ? unnamed : command`ip netns exec ${name}`;
  const where = name === undefined ? 'another one' : `"${name}"`;
  const finding = `the switch runs in ${where}, so addresses, devices and remotes are not examined from here`;
  return [fail(subject, finding, `run it there: ${enter} ${command`overtap -s ${socketPath} doctor`}`)];
}
