/**
 * The messages of Docker's network driver protocol (libnetwork's remote driver): each request is read into a value with checked
 * fields, or refused. Pure.
 *
 * All that comes over the socket is bounded here: numbers of options and addresses, lengths of texts, and the alphabet of IDs and
 * paths, which later name ports and files.
 */
import { z } from 'zod';
import { Refusal, canonicalIp, readNicAddress, readNicMac } from '../../values/address.js';
import { ProtocolError } from '../containers/contract.js';

/** Where `docker network create -o` puts its options. */
const GENERIC = 'com.docker.network.generic';
const INTERNAL = 'com.docker.network.internal';
const MOST_OPTIONS = 64;
const LONGEST_TEXT = 4096;
/** Paths of namespaces are opened by the switch. */
const LONGEST_PATH = 256;

/** Networks of a swarm have IDs of 25 letters and digits, others of 64 hexadecimal ones. */
const id = z.string().regex(/^[0-9a-z]{12,64}$/, 'is no ID of Docker');
const text = z.string().max(LONGEST_TEXT);
const pool = z.looseObject({ Pool: text.optional(), Gateway: text.optional() });

const CREATE_NETWORK = z.looseObject({
  NetworkID: id,
  Options: z.record(text, z.unknown()).nullish(),
  IPv4Data: z.array(pool).max(16).nullish(),
  IPv6Data: z.array(pool).max(16).nullish(),
});
const DELETE_NETWORK = z.looseObject({ NetworkID: id });
const CREATE_ENDPOINT = z.looseObject({
  NetworkID: id,
  EndpointID: id,
  Interface: z
    .looseObject({ Address: text.nullish(), AddressIPv6: text.nullish(), MacAddress: text.nullish() })
    .nullish(),
});
const ENDPOINT = z.looseObject({ NetworkID: id, EndpointID: id });
const JOIN = z.looseObject({
  NetworkID: id,
  EndpointID: id,
  SandboxKey: z
    .string()
    .max(LONGEST_PATH)
    .regex(/^(\/[\w.-]+)+$/, 'is no path of a network namespace'),
});

export interface NetworkRequest {
  network: string;
  /** Of `-o`, as text. */
  options: ReadonlyMap<string, string>;
  /** `--internal`: no gateway. */
  isInternal: boolean;
  gateway?: string;
  gateway6?: string;
}

export interface EndpointRequest {
  network: string;
  endpoint: string;
  /** Of the container's NIC; absent: the driver's choice. */
  mac?: string;
  address?: string;
  address6?: string;
}

export interface JoinRequest {
  network: string;
  endpoint: string;
  /** Path of the container's network namespace. */
  sandbox: string;
}

/** @throws ProtocolError, like all functions below */
export function readNetwork(body: unknown): NetworkRequest {
  const { NetworkID, Options, IPv4Data, IPv6Data } = read(CREATE_NETWORK, body);
  const given = Options ?? {};
  return {
    network: NetworkID,
    options: readOptions(given[GENERIC]),
    isInternal: given[INTERNAL] === true,
    ...optional('gateway', gatewayOf(IPv4Data?.[0]?.Gateway)),
    ...optional('gateway6', gatewayOf(IPv6Data?.[0]?.Gateway)),
  };
}

/** @returns the ID of the network */
export function readNetworkId(body: unknown): string {
  return read(DELETE_NETWORK, body).NetworkID;
}

export function readEndpoint(body: unknown): EndpointRequest {
  const { NetworkID, EndpointID, Interface } = read(CREATE_ENDPOINT, body);
  const { MacAddress, Address, AddressIPv6 } = Interface ?? {};
  return {
    network: NetworkID,
    endpoint: EndpointID,
    ...optional(
      'mac',
      filled(MacAddress, (mac) => accepted('MacAddress', readNicMac(mac))),
    ),
    ...optional(
      'address',
      filled(Address, (given) => addressOf('Address', given)),
    ),
    ...optional(
      'address6',
      filled(AddressIPv6, (given) => addressOf('AddressIPv6', given)),
    ),
  };
}

export function readEndpointId(body: unknown): { network: string; endpoint: string } {
  const { NetworkID, EndpointID } = read(ENDPOINT, body);
  return { network: NetworkID, endpoint: EndpointID };
}

export function readJoin(body: unknown): JoinRequest {
  const { NetworkID, EndpointID, SandboxKey } = read(JOIN, body);
  if (SandboxKey.split('/').includes('..')) throw new ProtocolError('SandboxKey: is no path of a network namespace');
  return { network: NetworkID, endpoint: EndpointID, sandbox: SandboxKey };
}

function read<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ProtocolError(`${issue?.path.join('.') || 'the request'}: ${issue?.message ?? 'is not valid'}`);
}

function readOptions(generic: unknown): Map<string, string> {
  const options = new Map<string, string>();
  if (typeof generic !== 'object' || generic === null) return options;
  const given = Object.entries(generic);
  if (given.length > MOST_OPTIONS) throw new ProtocolError(`a network has at most ${MOST_OPTIONS} options`);
  for (const [key, value] of given) {
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    if (!isPlain || String(value).length > LONGEST_TEXT || key.length > LONGEST_TEXT)
      throw new ProtocolError(`option ${key.slice(0, 50)}: give a text of at most ${LONGEST_TEXT} characters`);
    options.set(key, String(value));
  }
  return options;
}

/** Docker gives a gateway with the prefix length of its pool. */
function gatewayOf(given: string | undefined): string | undefined {
  return filled(given, (text) => {
    const [address = ''] = text.split('/');
    const canonical = canonicalIp(address);
    if (canonical === undefined) throw new ProtocolError(`Gateway: ${address.slice(0, 50)} is no address`);
    return canonical.text;
  });
}

function addressOf(key: string, given: string): string {
  const { address, prefix } = accepted(key, readNicAddress(given));
  return `${address}/${prefix}`;
}

function accepted<T>(key: string, value: T | Refusal): T {
  if (value instanceof Refusal) throw new ProtocolError(`${key}: ${value.message}`);
  return value;
}

/** Docker sends an empty text for what is not there. */
function filled<T>(given: string | null | undefined, take: (text: string) => T): T | undefined {
  return given === undefined || given === null || given === '' ? undefined : take(given);
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}
