/**
 * Traffic between namespaces, and what came of it: ping, TCP with a hash at both ends, UDP with answers, frames of the
 * test's own making. It asserts nothing.
 */

import { describe, type Ended, type Program } from '../../src/lab/testbed/program.js';
import { toolPath } from './tool-path.js';
import type { End, World } from './host-testbed.js';

/** IEEE 802 local experimental EtherType: no kernel sends or answers it. */
export const EXPERIMENTAL = 0x88b5;
export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const TRANSFER_LIMIT_MS = 60_000;

/** The command line of one of the test's own tools. */
export function tool(name: string, ...args: (string | number)[]): string[] {
  return [process.execPath, toolPath(name), ...args.map(String)];
}

/** A line of a tool's output. */
async function answer<T>(program: Program, what: string, limitMs?: number): Promise<T> {
  return JSON.parse(await program.line(what, () => true, limitMs)) as T;
}

export interface PingOptions {
  count?: number;
  /** Bytes of payload. */
  size?: number;
  /** Sets DF, so that nothing on the way may be fragmented. */
  whole?: boolean;
}

/**
 * Once it has sent all, `ping` waits for the last answer no longer than twice the longest round trip or its interval: on a busy
 * machine one that is late would count as lost. So all are sent at once, at an interval that is long; it ends with the last answer.
 */
const PING_INTERVAL_S = 3;

/** Answers to pings, counted by `ping`. */
export async function ping(
  world: World,
  netns: string,
  address: string,
  options: PingOptions = {},
): Promise<{ sent: number; received: number; duplicates: number; output: string }> {
  const { count = 3, size, whole = false } = options;
  const words = ['ping', '-n', '-c', String(count), '-l', String(count), '-i', String(PING_INTERVAL_S), '-W', '2'];
  if (size !== undefined) words.push('-s', String(size));
  if (whole) words.push('-M', 'do');
  const ended = await world.exec(netns, [...words, address]);
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ended.stdout) ?? [];
  if (sent === undefined) throw new Error(`ping ${address}: ${describe(ended)}`);
  const duplicates = Number(/\+(\d+) duplicates/.exec(ended.stdout)?.[1] ?? 0);
  return { sent: Number(sent), received: Number(received), duplicates, output: describe(ended) };
}

export interface Transfer {
  readonly sent: { bytes: number; sha256: string; ms: number };
  readonly received: { bytes: number; sha256: string };
  readonly megabitsPerSecond: number;
}

/** Sends bytes over TCP to `address`, an address of namespace `to`. */
export async function transfer(
  world: World,
  from: string,
  to: string,
  address: string,
  bytes: number,
): Promise<Transfer> {
  const receiver = world.spawn(to, tool('transfer', 'receive', address));
  const { port } = await answer<{ port: number }>(receiver, 'the receiver listens');
  const seed = `${from} ${address} ${bytes}`;
  const sender = world.spawn(from, tool('transfer', 'send', address, port, bytes, seed));
  const sent = await sender.line(`${bytes} bytes are sent to ${address}`, () => true, TRANSFER_LIMIT_MS);
  const received = await receiver.line('the receiver tells its hash', (line) => line.includes('sha256'));
  const result = JSON.parse(sent) as Transfer['sent'];
  return {
    sent: result,
    received: JSON.parse(received) as Transfer['received'],
    megabitsPerSecond: Math.round((bytes * 8) / 1000 / result.ms),
  };
}

/** Asks an echo at `address` in namespace `to`, one datagram after the other. */
export async function udpEcho(
  world: World,
  from: string,
  to: string,
  address: string,
  options: { size: number; count: number },
): Promise<{ equal: number; different: number; lost: number }> {
  const echo = world.spawn(to, tool('udp', 'echo', address));
  const { port } = await answer<{ port: number }>(echo, 'the echo listens');
  const asker = world.spawn(from, tool('udp', 'ask', address, port, options.size, options.count));
  const result = await answer<{ equal: number; different: number; lost: number }>(
    asker,
    'the datagrams come back',
    5000 + options.count * 2500,
  );
  await echo.stop('SIGKILL');
  return result;
}

export interface Numbered {
  readonly sent: { sent: number; answers: number };
  readonly received: { received: number; late: number; twice: number; flows: number };
}

let paces = 0;

/** Sends numbered datagrams in several flows to `address` in namespace `to`; with `answers`, one of so many is answered. */
export async function numbered(
  world: World,
  from: string,
  to: string,
  address: string,
  options: { flows: number; count: number; answers?: number },
): Promise<Numbered> {
  const { flows, count, answers = 0 } = options;
  const pace = world.path(`pace-${++paces}.sock`);
  const receiver = world.spawn(to, tool('order', 'receive', address, pace, flows, count, answers));
  const { port } = await answer<{ port: number }>(receiver, 'the receiver listens');
  const sender = world.spawn(from, tool('order', 'send', address, pace, port, flows, count));
  const [sent, received] = await Promise.all([
    sender.line('the datagrams are sent', () => true, TRANSFER_LIMIT_MS),
    receiver.line('the datagrams come', (line) => line.includes('received'), TRANSFER_LIMIT_MS),
  ]);
  const numbers = {
    sent: JSON.parse(sent) as Numbered['sent'],
    received: JSON.parse(received) as Numbered['received'],
  };
  if (numbers.received.received < numbers.sent.sent) console.log(await losses(world, from, to));
  return numbers;
}

/** What two hosts have lost themselves, so that a failure tells whether it was a switch. */
async function losses(world: World, ...hosts: string[]): Promise<string> {
  const told = hosts.map(async (netns) => {
    const links = await world.exec(netns, ['ip', '-s', 'link']);
    const udp = await world.exec(netns, ['grep', 'Udp:', '/proc/net/snmp']);
    return `${netns}:\n${links.stdout}${udp.stdout}`;
  });
  return `datagrams were lost\n${(await Promise.all(told)).join('')}`;
}

/** Keeps sending UDP datagrams to an address until the program is stopped. */
export async function udpStream(world: World, from: string, address: string, size: number): Promise<Program> {
  const program = world.spawn(from, tool('udp', 'stream', address, 9, size));
  await answer(program, 'the stream flows');
  return program;
}

export interface FrameFields {
  destination: string;
  source: string;
  /** VID of an 802.1Q tag. */
  vlan?: number;
  /** First bytes of the payload. */
  text: string;
}

/** A frame of the experimental EtherType, 60 bytes or a tag more, as hex. */
export function experimentalFrame({ destination, source, vlan, text }: FrameFields): string {
  const mac = (address: string): string => address.replaceAll(':', '');
  const word = (value: number): string => value.toString(16).padStart(4, '0');
  const tag = vlan === undefined ? '' : `8100${word(vlan)}`;
  const payload = Buffer.alloc(46);
  payload.write(text);
  return `${mac(destination)}${mac(source)}${tag}${word(EXPERIMENTAL)}${payload.toString('hex')}`;
}

/** Puts frames on the wire at a NIC, as if its own host had sent them. */
export async function inject(world: World, { netns, ifname }: End, ...frames: string[]): Promise<void> {
  const ended: Ended = await world.exec(netns, tool('inject', ifname, ...frames));
  if (ended.status !== 0) throw new Error(`frames could not be sent at ${ifname}: ${describe(ended)}`);
}
