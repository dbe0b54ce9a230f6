/** The near end of a measurement on two machines: attaches a switch on both, and measures from guest 1 here to guest 2 there. */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { clientLatency } from '../measures/latency.js';
import { measureTcp, warmUp } from '../measures/tcp.js';
import { datagram, startSenders } from '../measures/trafgen.js';
import { VARIANTS } from '../switches/variants.js';
import type { Taken } from '../turn.js';
import type { Endpoint, Options, Turn, Values } from '../types.js';
import { MachineSite, mtuTowards } from './machine-site.js';
import { COUNTERS, Conversation, PEER_VARIANTS } from './protocol.js';

const CONNECT_MS = 10_000;
const SIZE = 64;
const STREAMS = [1, 4];

export interface Peer {
  readonly socket: Socket;
  readonly conversation: Conversation;
}

/** Connects to a far end, and shows the token. */
export async function connectPeer({ host, port }: Endpoint, token: string): Promise<Peer> {
  const socket = connect({ host, port });
  await new Promise<void>((resolve, reject) => {
    socket.setTimeout(CONNECT_MS, () => reject(new Error(`${host} port ${port} does not answer`)));
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.setTimeout(0);
  socket.on('error', () => undefined); // the next request fails
  const conversation = new Conversation(socket);
  await conversation.ask({ op: 'hello', token });
  return { socket, conversation };
}

/** One turn of a variant on both machines. */
export async function takePeerTurn(
  { variant, groups }: Omit<Turn, 'round'>,
  { seconds, senders }: Pick<Options, 'seconds' | 'senders'>,
  { socket, conversation }: Peer,
  signal: AbortSignal,
): Promise<Taken> {
  const known = PEER_VARIANTS.find((name) => name === variant);
  if (known === undefined) throw new Error(`${variant} is not measured on two machines`);
  const { localAddress: address = '', remoteAddress: remote = '' } = socket;
  const site = new MachineSite(0, { address, remote }, await mtuTowards(remote), signal);
  try {
    await conversation.ask({ op: 'attach', variant: known });
    await site.build();
    await VARIANTS[known].switches[0](site, site.hosts[0]);
    await warmUp(site);
    const values: Values = {};
    for (const streams of groups.includes('tcp') ? STREAMS : []) {
      const measured = await measureTcp(site, { seconds, streams });
      // CPU is this machine's only, and says nothing about both.
      for (const way of ['there', 'back']) {
        const name = `tcp${streams}-${way}`;
        values[name] = measured.values[name];
      }
    }
    if (groups.includes('frames')) values[`frames${SIZE}`] = await frames(site, conversation, { seconds, senders });
    if (groups.includes('latency')) Object.assign(values, (await clientLatency(site, { seconds })).values);
    await conversation.ask({ op: 'detach' });
    return { values, paths: [], failures: [] };
  } finally {
    await site.takeDown();
  }
}

/** Thousands of frames a second, by the far guest's NIC. Its MAC is the destination: the switches know it. */
async function frames(
  site: MachineSite,
  conversation: Conversation,
  { seconds, senders }: Pick<Options, 'seconds' | 'senders'>,
): Promise<number> {
  const [from, to] = site.guests;
  const received = async (): Promise<{ frames: number; at: number }> => {
    const counters = COUNTERS.parse(await conversation.ask({ op: 'counters' }));
    return { frames: counters.frames, at: performance.now() };
  };
  const programs = await startSenders(site, from, datagram(from, to, to.mac, SIZE), senders);
  try {
    await delay(250, null, { signal: site.signal });
    const before = await received();
    await delay(seconds * 1000, null, { signal: site.signal });
    const after = await received();
    if (after.frames <= before.frames) throw new Error('no frame arrived at the far end');
    return (after.frames - before.frames) / (after.at - before.at);
  } finally {
    await Promise.all(programs.map((program) => program.end('SIGINT')));
  }
}
