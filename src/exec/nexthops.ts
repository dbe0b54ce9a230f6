/** RTM_*NEXTHOP with `fdb`: VTEPs and groups of them, for FDB entries. Others are routes', and the kernel's. */
import type { NexthopRequest, NexthopRow } from '../api/api.js';
import { NetlinkFault } from '../netlink/fault.js';
import { acknowledgement, dumpEnd, type Message, NLM_F } from '../netlink/message.js';
import { type Nexthop, readNexthop, writeNexthop } from '../netlink/nexthop.js';
import { RTM } from '../netlink/rtnetlink.js';
import { answerMessage, isDump, kernelPart } from './listing.js';
import { protocolCode, protocolName } from './protocols.js';
import type { View } from './view.js';

/** @returns null: the kernel's */
export async function changeNexthop(view: View, request: Message): Promise<Buffer[] | null> {
  const asked = readNexthop(request.payload);
  if (request.type === RTM.NEWNEXTHOP ? !asked.isFdb : (await find(view, asked.id)) === undefined) return null;
  await view.client.post('/v1/nexthops', requestOf(request, asked));
  return [acknowledgement(request, view.caller.portid)];
}

async function find(view: View, id: number | undefined): Promise<NexthopRow | undefined> {
  return (await view.client.get('/v1/nexthops')).find((row) => row.id === id);
}

function requestOf({ type, flags }: Message, { id, gateway, group, protocol }: Nexthop): NexthopRequest {
  if (id === undefined || id === 0) throw new NetlinkFault('give the nexthop an ID: ip nexthop add id ID ...');
  if (type === RTM.DELNEXTHOP) return { op: 'del', id };
  type Put = Extract<NexthopRequest, { op: 'add' | 'replace' }>;
  const name = protocol === 0 ? undefined : protocolName(protocol);
  return {
    op: (flags & NLM_F.REPLACE) !== 0 ? 'replace' : 'add',
    id,
    ...(gateway === undefined ? {} : { via: gateway }),
    ...(group === undefined ? {} : { group: group.map((one) => ({ ...one })) }),
    ...(name === undefined ? {} : { protocol: name as NonNullable<Put['protocol']> }),
  } as Put;
}

/** @returns null: the kernel answers alone */
export async function getNexthops(view: View, request: Message): Promise<Buffer[] | null> {
  if (!isDump(request)) {
    const row = await find(view, readNexthop(request.payload).id);
    return row === undefined ? null : [answerMessage(view, request, RTM.NEWNEXTHOP, payloadOf(row))];
  }
  const out = await kernelPart(view, request);
  for (const row of await view.client.get('/v1/nexthops')) {
    out.push(answerMessage(view, request, RTM.NEWNEXTHOP, payloadOf(row), NLM_F.MULTI));
  }
  return [...out, dumpEnd(request, view.caller.portid)];
}

function payloadOf({ id, gateway, group, protocol }: NexthopRow): Buffer {
  return writeNexthop({
    id,
    gateway,
    group: group?.map((one) => ({ id: one.id, weight: one.weight ?? 1 })),
    isFdb: true,
    protocol: protocol === undefined ? 0 : protocolCode(protocol),
  });
}
