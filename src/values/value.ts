/**
 * Zod schemas of single values: numbers, names, addresses, ranges.
 *
 * Owns the messages "expected ..., found ...". Each schema checks one value alone, never in relation to others.
 */
import { z } from 'zod';
import { readCollector, readGroup, readListenAddress, readSocketMode } from './access.js';
import {
  Refusal,
  readAddressOrPrefix,
  readHostIp,
  readRemoteIp,
  readMac,
  readNicAddress,
  readNicMac,
  readVtepIp,
} from './address.js';
import { readRd, readRouterId, readRouteTarget } from './bgp.js';
import { readCvlanMaps } from './cvlan-map.js';
import { readRoutes } from './route-text.js';
import { readVtepOrName } from './dns-name.js';
import { readFrameAddress } from './frame-address.js';
import { type IdKind, type IdRange, readRange, VLAN_ID, VNI } from './id-range.js';
import { readEtcdEndpoint, readEtcdPrefix, readFilePath, readNameServer } from './peer-source.js';
import { PORT_STATES } from './port-state.js';
import { readReservedBits } from './reserved-bits.js';
import { quote, show } from './show.js';

/** Bytes, without the terminating NUL: IFNAMSIZ is 16 (linux/if.h). */
const NAME_MAX = 15;
/** Bytes, without the terminating NUL: sun_path holds 108 (linux/un.h). */
const SOCKET_PATH_MAX = 107;
/** Entries; limits fit a signed 32-bit word. */
const COUNT_MAX = 2_147_483_647;
/** Seconds: the longest ageing time of IEEE 802.1Q and of the kernel's bridge (BR_MAX_AGEING_TIME). */
const AGEING_MAX = 1_000_000;
/** VLAN_N_VID - 1. */
const INSTANCE_MAX = 4095;
/** Groups of a bridge: the engines' table has room for those of some bridges. */
const GROUPS_MAX = 32_768;
/** Descriptors: the first behind the standard streams, and the most that Linux allows (fs.nr_open). */
const FD_MIN = 3;
const FD_MAX = 1_073_741_816;
/** Entries: the largest supported FDB. */
const FDB_SIZE_MAX = 1_048_576;
/** A u32 that is not 0 (NHA_ID). */
const NEXTHOP_MAX = 4_294_967_295;
/** Linux 6.12 has 16 bits for a weight, as one less than it (struct nexthop_grp). */
const WEIGHT_MAX = 65_536;
interface Issue {
  input?: unknown;
}

/** The message for a value that is not `what`. */
export function expected(what: string): (issue: Issue) => string {
  return ({ input }) => (input === undefined ? `is missing; give ${what}` : `expected ${what}, found ${show(input)}`);
}

/** A whole number. */
function whole(what: string, min: number, max: number): z.ZodInt {
  const error = expected(`${what} from ${min} to ${max}`);
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** Text that `take` converts to a value or refuses. */
function text<T>(what: string, take: (input: string) => T | Refusal) {
  return z.string({ error: expected(what) }).transform((input, context) => accepted(take(input), input, context));
}

/** As `text`, for values that YAML may also read as a number. */
function textOrNumber<T>(what: string, take: (input: string | number) => T | Refusal) {
  return z
    .union([z.number(), z.string()], { error: expected(what) })
    .transform((input, context) => accepted(take(input), input, context));
}

function accepted<T>(result: T | Refusal, input: unknown, context: z.RefinementCtx): T {
  if (!(result instanceof Refusal)) return result;
  context.issues.push({ code: 'custom', message: result.message, input });
  return z.NEVER;
}

function range(kind: IdKind) {
  const what = `${kind.what} from 1 to ${kind.max} or a range such as ${kind.example}`;
  return z
    .union([z.number(), z.string()], { error: expected(what) })
    .transform((input, context): IdRange => accepted<IdRange>(readRange(input, kind), input, context));
}

function choice<const T extends readonly [string, ...string[]]>(values: T) {
  const words = values.map((value) => `'${value}'`);
  return z.enum(values, { error: expected(`${words.slice(0, -1).join(', ')} or ${words.at(-1)}`) });
}

/** A list whose items are validated separately, so that every invalid item is reported. */
function list(what: string) {
  return z.array(z.unknown(), { error: expected(`a list of ${what}`) });
}

/** A mapping whose values are validated separately. */
export function mapping(what: string) {
  return z.record(z.string(), z.unknown(), { error: expected(`a mapping of ${what}`) });
}

const udpPort = whole('a UDP port', 1, 65_535);
const tosNumber = whole('a type-of-service byte', 0, 255);
const labelNumber = whole('a flow label', 0, 0xfffff);
const mssNumber = whole('a maximum segment size', 88, 65_495);
const mtuNumber = whole('an MTU', 68, 65_535);

export const value = {
  flag: z.boolean({ error: expected('true or false') }),
  flagOrAuto: z.union([z.literal('auto'), z.boolean()], { error: expected("true, false or 'auto'") }),
  /** The minimum MTU of IPv4 is 68 (RFC 791); ETH_MAX_MTU is 65,535. */
  mtu: z.union([z.literal('auto'), mtuNumber], { error: expected("an MTU from 68 to 65535 or 'auto'") }),
  mtuNumber,
  tos: z.union([z.literal('inherit'), tosNumber], {
    error: expected("a type-of-service byte from 0 to 255 or 'inherit'"),
  }),
  /** TCP_MIN_MSS of Linux is 88; an MTU is at most 65,535. */
  mssClamp: z.union([z.literal('auto'), z.literal('off'), mssNumber], {
    error: expected("'auto', 'off' or a maximum segment size from 88 to 65495"),
  }),
  ttl: whole('a TTL', 0, 255),
  policyId: whole('a policy ID', 0, 0xffff),
  /** RFC 6437: 20 bits. */
  flowLabel: z.union([z.literal('inherit'), labelNumber], {
    error: expected("a flow label from 0 to 1048575 or 'inherit'"),
  }),
  udpPort,
  portRange: z.tuple([udpPort, udpPort], { error: expected('two UDP ports such as [32768, 61000]') }),
  pvid: whole('0 for none or a VLAN ID', 0, 4094),
  vni: whole('a VNI', 1, VNI.max),
  /** Milliseconds between two packets of a liveness session, and how many lost ones end it. */
  bfdInterval: whole('whole milliseconds', 10, 60_000),
  bfdMultiplier: whole('a number of packets', 1, 255),
  vid: whole('a VLAN ID', 1, VLAN_ID.max),
  vids: range(VLAN_ID),
  // As the kernel (BRIDGE_VLANDB_GOPTS_MSTI).
  instance: whole('an instance', 0, INSTANCE_MAX),
  ownInstance: whole('an instance', 1, INSTANCE_MAX),
  vnis: range(VNI),
  seconds: whole('whole seconds', 0, AGEING_MAX),
  count: whole('a number', 0, COUNT_MAX),
  busyPoll: z.union([z.literal('auto'), whole('whole microseconds', 0, 10_000)], {
    error: expected("whole microseconds from 0 to 10000 or 'auto'"),
  }),
  nexthopId: whole('the ID of a nexthop', 1, NEXTHOP_MAX),
  /** 0: none. */
  nexthopOrNone: whole('0 for none or the ID of a nexthop', 0, NEXTHOP_MAX),
  weight: whole('a weight', 1, WEIGHT_MAX),
  fdbSize: whole('a number of entries', 1, FDB_SIZE_MAX),
  /** The bits of the VXLAN header that drop a datagram; a number of YAML has not the precision. */
  reservedBits: text("'ignore', 'drop' or a mask such as '0xf7ffffff000000ff', in quotes", readReservedBits),
  /** Customer VLANs to service VLANs. */
  cvlanMap: z
    .array(z.string({ error: expected("a map such as '10-19:100'") }), {
      error: expected("maps such as ['10-19:100']"),
    })
    .transform((input, context): string[] => accepted(readCvlanMaps(input), input, context)),
  /** Static routes, in canonical text. */
  routes: z
    .array(z.string({ error: expected("a route such as 'default via 10.0.10.254'") }), {
      error: expected('routes such as [default via 10.0.10.254]'),
    })
    .transform((input, context): string[] => accepted(readRoutes(input), input, context)),
  groupForwardMask: whole('a mask', 0, 65_535),
  framesPerSecond: whole('0 for no limit or frames a second', 0, COUNT_MAX),
  bits: whole('0 for no limit or bits', 0, 1_000_000_000_000),
  portState: z.enum(PORT_STATES, { error: expected(`one of ${PORT_STATES.join(', ')}`) }),
  /** The kernel shows 3 while it detects a router; it is not a setting. */
  mcastRouter: z.union([z.literal(0), z.literal(1), z.literal(2)], {
    error: expected('0 (never), 1 (found out by queries) or 2 (always)'),
  }),
  igmpVersion: z.union([z.literal(2), z.literal(3)], { error: expected('2 or 3') }),
  mldVersion: z.union([z.literal(1), z.literal(2)], { error: expected('1 or 2') }),
  // The kernel's limits of queries: a second, and a day (BR_MULTICAST_QUERY_INTVL_MIN and MAX).
  queryInterval: whole('hundredths of a second', 100, 8_640_000),
  // A query says at least the smallest time that it can.
  responseInterval: whole('hundredths of a second', 0, 8_640_000),
  mcastInterval: whole('hundredths of a second', 100, 864_000_000),
  queryCount: whole('a number of queries', 0, 100),
  groupCount: whole('a number of groups', 1, GROUPS_MAX),
  bridgePriority: whole('a priority', 0, 65_535),
  // 6 bits of the port identifier; the cost has 32 in a BPDU, and 802.1D-2004 names 200,000,000.
  portPriority: whole('a priority', 0, 63),
  pathCost: whole('a cost', 1, 200_000_000),
  // The kernel's limits (net/bridge/br_private_stp.h); a forward delay below 200 only while there is no spanning tree.
  helloTime: whole('hundredths of a second', 100, 1000),
  maxAge: whole('hundredths of a second', 600, 4000),
  forwardDelay: whole('hundredths of a second', 0, 3000),
  workers: whole('a number of workers', 1, 16),
  ip: text('an IPv4 or IPv6 address', readHostIp),
  /** As `ip`, or a multicast address. */
  remoteIp: text('an IPv4 or IPv6 address', readRemoteIp),
  addressOrPrefix: text('an IPv4 or IPv6 address or a prefix', readAddressOrPrefix),
  /** As `ip`; a link-local address may have a zone. */
  vtepIp: text('an IPv4 or IPv6 address', readVtepIp),
  /** As `vtepIp`, or a DNS name. */
  vtepOrName: text('an IPv4 or IPv6 address or a DNS name', readVtepOrName),
  filePath: text('the absolute path of a file', readFilePath),
  nameServers: z.array(text('the address of a name server', readNameServer), {
    error: expected('a list of addresses such as [192.0.2.53]'),
  }),
  etcdEndpoint: text('the URL of an etcd', readEtcdEndpoint),
  etcdPrefix: text('a prefix of keys', readEtcdPrefix),
  etcdUser: text('the name of a user', readSwitchName),
  leaseSeconds: whole('whole seconds', 2, 3600),
  /** Any text: a separate rule checks that the port exists. */
  linkText: text('the name of a port', (input) => input),
  collectors: z.array(text('an address and a UDP port such as 192.0.2.9:6343', readCollector), {
    error: expected("a list of addresses and UDP ports such as ['192.0.2.9:6343']"),
  }),
  samplingInterval: whole('a number of frames', 1, 16_777_215),
  domain: whole('a number', 0, 4_294_967_295),
  flowCache: whole('a number of flows', 16, 65_536),
  timeout: whole('whole seconds', 1, 86_400),
  /** Names of ports, of which some may not be there. */
  linkTexts: z.array(
    text('the name of a port', (input) => input),
    { error: expected('a list of ports such as [tap1]') },
  ),
  vidList: z.array(range(VLAN_ID), { error: expected('a list of VLAN IDs such as [10, 20-29]') }),
  /** Any text: a separate rule checks that it is a multicast address. */
  groupText: text('a multicast address', (input) => input),
  nicAddress: text('an address with its prefix length, such as 192.0.2.1/24', readNicAddress),
  mac: text('a MAC address', readMac),
  nicMac: text('a MAC address', readNicMac),
  netdev: text('the name of a network device', readDeviceName),
  descriptor: textOrNumber('the number or name of a descriptor', readDescriptor),
  netns: text('the name or path of a network namespace', readNetns),
  switchName: text('a name', readSwitchName),
  socketPath: text('the path of a socket', readSocketPath),
  absolutePath: text('an absolute path', readAbsolutePath),
  frameAddress: text('ADDRESS:PORT or the absolute path of a socket', (input) =>
    input.startsWith('/') ? readAbsolutePath(input) : readFrameAddress(input),
  ),
  group: textOrNumber('the name or number of a group', readGroup),
  socketMode: textOrNumber("'0600', '0660' or '0666'", readSocketMode),
  /** RFC 6793: four bytes; 0 and the last one are reserved. */
  asn: whole('an AS number', 1, 4_294_967_294),
  rd: text('a route distinguisher', readRd),
  routeTargets: z
    .array(text('a route target', readRouteTarget), {
      error: expected("a list of route targets such as ['65001:100']"),
    })
    .max(64, { error: expected('at most 64 route targets') }),
  routerId: text('an identifier such as 192.0.2.1', readRouterId),
  tcpPortOrNone: whole('a TCP port, or 0', 0, 65_535),
  hops: whole('hops', 1, 254),
  /** RFC 4271 section 4.2: 0, or at least 3. */
  holdTime: z.union([z.literal(0), whole('whole seconds', 3, 65_535)], {
    error: expected('0, or whole seconds from 3 to 65535'),
  }),
  /** RFC 4724 section 3: 12 bits. */
  restartTime: whole('whole seconds', 0, 4095),
  /** RFC 9494 section 3.1: 24 bits. */
  staleTime: whole('whole seconds', 0, 16_777_215),
  routeCount: whole('a number of routes', 1, 10_000_000),
  moveCount: whole('a number of moves', 2, 1000),
  listenAddress: text('an address and a TCP port, such as 127.0.0.1:9477', readListenAddress),
  choice,
  list,
};

/** Accepts device names that the kernel accepts (net/core/dev.c, dev_valid_name), limited to printable ASCII. */
export function readDeviceName(name: string): string | Refusal {
  if (name === '') return new Refusal('a link needs a name; the text is empty');
  if (name === '.' || name === '..') return new Refusal(`${quote(name)} cannot name a link; choose another name`);
  // The kernel reads "%d" as a pattern and treats some bytes beyond ASCII as white space.
  if (!/^[\x21-\x7e]+$/.test(name) || /[/:%]/.test(name)) {
    return new Refusal(`${quote(name)} cannot name a link; use ASCII letters, digits, '-', '_' or '.'`);
  }
  if (name.length <= NAME_MAX) return name;
  return new Refusal(`${quote(name)} has ${name.length} characters; the name of a link has at most ${NAME_MAX}`);
}

/** 0 to 2 are the standard streams; names are those of systemd's FileDescriptorName= (sd_listen_fds(3)). */
function readDescriptor(given: string | number): string | number | Refusal {
  const number = typeof given === 'number' || /^[0-9]+$/.test(given) ? Number(given) : undefined;
  if (number !== undefined) {
    if (Number.isInteger(number) && number >= FD_MIN && number <= FD_MAX) return number;
    return new Refusal(`expected a descriptor from ${FD_MIN} to ${FD_MAX} or its name, found ${given}`);
  }
  if (typeof given === 'string' && /^[^\p{Cc}:]{1,255}$/u.test(given)) return given;
  const rule = 'a name has 1 to 255 characters, without colons and control characters';
  return new Refusal(`expected the number or name of a descriptor, found ${quote(String(given))}; ${rule}`);
}

function readNetns(name: string): string | Refusal {
  if (name !== '' && name !== '.' && name !== '..' && !name.includes('\0')) return name;
  return new Refusal(`expected the name or path of a network namespace, found ${quote(name)}`);
}

function readSwitchName(name: string): string | Refusal {
  if (/^[^\p{Cc}]{1,64}$/u.test(name)) return name;
  return new Refusal(`expected a name of 1 to 64 characters without control characters, found ${quote(name)}`);
}

/** The directory of the one who types a command is not that of the switch. */
function readAbsolutePath(path: string): string | Refusal {
  if (!path.startsWith('/'))
    return new Refusal(`expected an absolute path, such as /run/vm1/net0.sock, found ${quote(path)}`);
  if (path.endsWith('/'))
    return new Refusal(`${quote(path)} ends with a slash, which only directories have; leave it out`);
  return readSocketPath(path);
}

function readSocketPath(path: string): string | Refusal {
  if (path === '' || path.includes('\0')) return new Refusal(`expected the path of a socket, found ${quote(path)}`);
  const bytes = Buffer.byteLength(path);
  if (bytes <= SOCKET_PATH_MAX) return path;
  return new Refusal(`the path has ${bytes} bytes; that of a unix socket has at most ${SOCKET_PATH_MAX}`);
}
