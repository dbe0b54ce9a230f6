/**
 * Follows a frame from switch to switch: each copy to a remote is traced at the switch that has the remote's address. Bounded in
 * depth and in number, since switches may send in circles.
 */
import type { LinkRow, TraceAnswer, TraceCopy, TraceRequest } from '../api/api.js';
import type { SwitchClient } from '../client/client.js';
import { isTunnelType } from '../config/options/kinds.js';

/** Switches behind one another, and traces in all. */
const MOST_HOPS = 8;
const MOST_TRACES = 64;

/** A further switch. */
export interface Peer {
  name: string;
  client: SwitchClient;
}

export type HopCopy = TraceCopy & { peer?: { switch: string; trace?: Hop; refused?: string } };
export type Hop = Omit<TraceAnswer, 'copies' | 'frames'> & { copies: HopCopy[] };

interface Walk {
  peers: readonly Peer[];
  links: Map<Peer, Promise<LinkRow[]>>;
  left: number;
}

/** @throws what the client of the first switch throws */
export async function followTrace(request: TraceRequest, client: SwitchClient, peers: readonly Peer[]): Promise<Hop> {
  const walk: Walk = { peers, links: new Map(), left: MOST_TRACES };
  const answer = await client.post('/v1/trace', { ...request, frames: peers.length > 0 });
  return hopOf(answer, walk, MOST_HOPS);
}

async function hopOf({ frames = [], ...answer }: TraceAnswer, walk: Walk, hops: number): Promise<Hop> {
  const copies: HopCopy[] = [];
  for (const { frame, ...copy } of answer.copies) {
    const bytes = frame === undefined ? undefined : frames[frame];
    copies.push(bytes === undefined || hops === 0 ? copy : await goOn(copy, bytes, walk, hops));
  }
  return { ...answer, copies };
}

/** A copy to a remote at the switch that has its address, as one more trace. */
async function goOn(copy: TraceCopy, frame: string, walk: Walk, hops: number): Promise<HopCopy> {
  const { remote, vni, udp_port: udpPort } = copy;
  if (remote === undefined || vni === undefined || walk.left === 0) return copy;
  for (const peer of walk.peers) {
    const port = (await linksOf(peer, walk)).find((link) => isAt(link, remote, udpPort));
    if (port === undefined) continue;
    walk.left--;
    const name = { switch: peer.name };
    const from = copy.local ?? soleRemote(port);
    if (from === undefined)
      return {
        ...copy,
        peer: { ...name, refused: 'the outer source address is not configured: give the vxlan port "local"' },
      };
    const request: TraceRequest = { port: port.ifname, frame, from, vni, tos: copy.tos ?? 0, frames: true };
    try {
      const answer = await peer.client.post('/v1/trace', request);
      return { ...copy, peer: { ...name, trace: await hopOf(answer, walk, hops - 1) } };
    } catch (error) {
      return { ...copy, peer: { ...name, refused: error instanceof Error ? error.message : String(error) } };
    }
  }
  return copy;
}

function linksOf(peer: Peer, { links }: Walk): Promise<LinkRow[]> {
  const asked = links.get(peer) ?? peer.client.get('/v1/links?details=1');
  links.set(peer, asked);
  return asked;
}

/** Whether datagrams to an address come to this link: one of its own, or a group that it has joined. */
function isAt(
  { type, local, group, dstport }: LinkRow & Record<string, unknown>,
  remote: string,
  udpPort?: number,
): boolean {
  return isTunnelType(type) && (local === remote || group === remote) && (udpPort === undefined || dstport === udpPort);
}

/** The only remote of a port, which must be the sender then. */
function soleRemote({ remotes }: LinkRow & Record<string, unknown>): string | undefined {
  return Array.isArray(remotes) && remotes.length === 1 ? String(remotes[0]) : undefined;
}
