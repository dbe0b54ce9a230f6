/**
 * What the plugin passes on from a container runtime (CNI specification 1.1): environment, configuration, and the result of the
 * plugin for addresses (IPAM). All of it is read into checked values, or refused with a code of the specification. Pure.
 */
import { z } from 'zod';
import { canonicalIp, Refusal, readNicAddress, readNicMac } from '../../values/address.js';
import { ProtocolError } from '../containers/contract.js';

/** Codes of the specification (section "Error"). */
export const CODES = { version: 1, environment: 4, decode: 6, config: 7, again: 11, unavailable: 50 } as const;

export class CniError extends ProtocolError {
  constructor(
    message: string,
    readonly code: number,
    /** Of the call; absent: not known. */
    readonly cniVersion?: string,
  ) {
    super(message);
  }
}

export const VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];
const COMMANDS = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC'] as const;
const LONGEST = 512 * 1024;
/** Levels of nested lists and mappings: results repeat parts of what is given, and are written recursively. */
const MAX_DEPTH = 64;
/** Characters of a plugin's name; overtap-cni has room for no more. */
const LONGEST_TYPE = 63;

/** As the plugin sends it. */
const CALL = z.strictObject({
  command: z.string().max(16),
  container: z.string().max(256),
  netns: z.string().max(256),
  ifname: z.string().max(64),
  args: z.string().max(4096),
  config: z.string().max(LONGEST),
  /** Exit status and output of the IPAM plugin, once it has run. */
  ipam: z.strictObject({ status: z.int().min(0).max(255), output: z.string().max(LONGEST) }).optional(),
});

const name = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,127}$/, 'has other characters than letters, digits, ".", "_" and "-"');
const attachment = z.looseObject({ containerID: z.string().max(256), ifname: z.string().max(64) });

const CONFIG = z.looseObject({
  cniVersion: z.string().max(16).default('0.3.0'),
  name,
  vni: z.int().min(1).max(16_777_215).optional(),
  vlan: z.int().min(1).max(4094).optional(),
  remotes: z.array(z.string().max(64)).max(256).default([]),
  port: z.string().max(64).optional(),
  mtu: z.int().min(68).max(65_535).optional(),
  ipam: z.looseObject({ type: name.max(LONGEST_TYPE).optional() }).optional(),
  /** Seconds that the IPAM plugin has; overtap-cni sees to it. */
  ipamTimeout: z.int().min(1).max(600).optional(),
  prevResult: z.looseObject({}).optional(),
  runtimeConfig: z.looseObject({ mac: z.string().max(32).optional() }).optional(),
  'cni.dev/valid-attachments': z.array(attachment).max(100_000).optional(),
});

const IPAM = z.looseObject({
  ips: z
    .array(z.looseObject({ address: z.string().max(64), gateway: z.string().max(64).optional() }))
    .max(16)
    .default([]),
  routes: z
    .array(z.looseObject({ dst: z.string().max(64), gw: z.string().max(64).optional() }))
    .max(64)
    .default([]),
  dns: z.looseObject({}).optional(),
});

export type Command = (typeof COMMANDS)[number];
export type CniConfig = z.output<typeof CONFIG>;

export interface Call {
  command: Command;
  config: CniConfig;
  container: string;
  netns: string;
  ifname: string;
  /** MAC that the runtime asks for. */
  mac?: string;
  ipam?: { status: number; output: string };
}

export interface Route {
  dst: string;
  /** Absent: on the link. */
  gw?: string;
}

export interface Addressing {
  /** Each with its prefix length. */
  ips: { address: string; gateway?: string }[];
  routes: Route[];
  dns?: object;
}

/** @throws CniError, like all functions below */
export function readCall(body: unknown): Call {
  const call = checked(CALL, body, 'the request', CODES.environment);
  const config = checked(CONFIG, parsed(call.config, 'the configuration'), 'the configuration', CODES.config);
  if (!VERSIONS.includes(config.cniVersion))
    throw new CniError(`cniVersion ${config.cniVersion} is not one of ${VERSIONS.join(', ')}`, CODES.version);
  const command = COMMANDS.find((one) => one === call.command);
  if (command === undefined) throw environment('CNI_COMMAND', call.command);
  if (command !== 'STATUS' && command !== 'GC') checkContainer(call, command);
  // Without a list every container would lose its port.
  if (command === 'GC' && config['cni.dev/valid-attachments'] === undefined)
    throw new CniError('GC: the configuration has no "cni.dev/valid-attachments"', CODES.config);
  const { container, netns, ifname, ipam } = call;
  return { command, config, container, netns, ifname, ...macOf(call.args, config), ...(ipam && { ipam }) };
}

function checkContainer({ container, netns, ifname }: z.output<typeof CALL>, command: Command): void {
  if (!/^[A-Za-z0-9][\w.-]*$/.test(container)) throw environment('CNI_CONTAINERID', container);
  if (!/^[\x21-\x7e]{1,15}$/.test(ifname) || /[/:%]/.test(ifname) || ifname === '.' || ifname === '..')
    throw environment('CNI_IFNAME', ifname);
  const isPath = /^(\/[\w.-]+)+$/.test(netns) && !netns.split('/').includes('..');
  // Of a container whose namespace has gone, nothing is left but records.
  if (!isPath && !(command === 'DEL' && netns === '')) throw environment('CNI_NETNS', netns);
}

/** `MAC=` of CNI_ARGS, or the capability `mac`. */
function macOf(args: string, { runtimeConfig }: CniConfig): { mac?: string } {
  const given = runtimeConfig?.mac ?? /(?:^|;)MAC=([^;]*)/.exec(args)?.[1];
  if (given === undefined || given === '') return {};
  const mac = readNicMac(given);
  if (mac instanceof Refusal) throw new CniError(`MAC: ${mac.message}`, CODES.config);
  return { mac };
}

/** The result of an IPAM plugin. */
export function readAddressing(output: string): Addressing {
  const { ips, routes, dns } = checked(IPAM, parsed(output, 'the result of IPAM'), 'the result of IPAM', CODES.decode);
  const gateways = new Map<number, string>();
  const read = ips.map(({ address, gateway: given }) => {
    const gateway = given === undefined ? undefined : ipOf(given);
    if (gateway !== undefined) gateways.set(familyOf(gateway), gateway);
    return { address: prefixed(address), ...(gateway === undefined ? {} : { gateway }) };
  });
  return {
    ips: read,
    routes: routes.map(({ dst, gw }) => {
      const via = gw === undefined ? gateways.get(familyOf(dst)) : ipOf(gw);
      return { dst: destination(dst), ...(via === undefined ? {} : { gw: via }) };
    }),
    ...(dns === undefined ? {} : { dns }),
  };
}

const familyOf = (address: string): number => (address.includes(':') ? 6 : 4);

function prefixed(given: string): string {
  const read = readNicAddress(given);
  if (read instanceof Refusal) throw new CniError(`IPAM: ${read.message}`, CODES.decode);
  return `${read.address}/${read.prefix}`;
}

function ipOf(given: string): string {
  const read = canonicalIp(given);
  if (read === undefined) throw new CniError(`IPAM: ${given} is no address`, CODES.decode);
  return read.text;
}

function destination(given: string): string {
  const [address = '', length = '', ...more] = given.split('/');
  const most = familyOf(address) === 6 ? 128 : 32;
  if (more.length > 0 || !/^\d{1,3}$/.test(length) || Number(length) > most)
    throw new CniError(`IPAM: ${given} is no destination of a route`, CODES.decode);
  return `${ipOf(address)}/${Number(length)}`;
}

function parsed(text: string, what: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CniError(`${what} is not JSON`, CODES.decode);
  }
  if (isDeeper(value, MAX_DEPTH)) throw new CniError(`${what} has more than ${MAX_DEPTH} levels`, CODES.decode);
  return value;
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((item) => isDeeper(item, depth - 1));
}

function checked<S extends z.ZodType>(schema: S, value: unknown, what: string, code: number): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new CniError(`${what}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is not valid'}`, code);
}

/** What a variable of the environment is to have. */
const EXPECTED = {
  CNI_COMMAND: 'ADD, DEL, CHECK, STATUS, GC or VERSION',
  CNI_CONTAINERID: 'letters, digits, "_", "." and "-", beginning with a letter or digit',
  CNI_IFNAME: 'the name of an interface, of 15 characters at most',
  CNI_NETNS: 'the path of a network namespace, such as /run/netns/NAME',
} as const;

function environment(variable: keyof typeof EXPECTED, value: string): CniError {
  const given = value === '' ? 'it is not set' : `"${value.slice(0, 64)}" is not valid`;
  return new CniError(`${variable}: ${given}; give ${EXPECTED[variable]}`, CODES.environment);
}
