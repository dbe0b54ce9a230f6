/** Nexthop messages (`struct nhmsg`, linux/nexthop.h). */
import { ipBytes, ipText } from './addresses.js';
import {
  type Attribute,
  AttributeMap,
  bytesAttribute,
  flagAttribute,
  u16Attribute,
  u32Attribute,
  writeAttributes,
} from './attributes.js';
import { NetlinkFault } from './fault.js';
import { AF } from './rtnetlink.js';

const HEAD_BYTES = 8;
const NHA = { ID: 1, GROUP: 2, GROUP_TYPE: 3, GATEWAY: 6, FDB: 11 } as const;
/** `struct nexthop_grp`: ID, weight less 1. */
const MEMBER_BYTES = 8;
/** RT_SCOPE_LINK, of the address of a VTEP. */
const SCOPE_LINK = 253;

export interface Nexthop {
  readonly id?: number | undefined;
  readonly gateway?: string | undefined;
  readonly group?: readonly { readonly id: number; readonly weight: number }[] | undefined;
  readonly isFdb: boolean;
  readonly protocol: number;
}

/** @throws NetlinkFault when a length is wrong */
export function readNexthop(payload: Buffer): Nexthop {
  if (payload.length < HEAD_BYTES) throw new NetlinkFault('the message of a nexthop is too short');
  const given = new AttributeMap(payload.subarray(HEAD_BYTES));
  const [gateway, group] = [given.bytes(NHA.GATEWAY), given.bytes(NHA.GROUP)];
  if (group !== undefined && group.length % MEMBER_BYTES !== 0)
    throw new NetlinkFault('a member of a group is too short');
  return {
    id: given.u32(NHA.ID),
    gateway: gateway === undefined ? undefined : ipText(gateway),
    group:
      group === undefined
        ? undefined
        : Array.from({ length: group.length / MEMBER_BYTES }, (_none, at) => ({
            id: group.readUInt32LE(at * MEMBER_BYTES),
            weight: group.readUInt8(at * MEMBER_BYTES + 4) + 1,
          })),
    isFdb: given.has(NHA.FDB),
    protocol: payload.readUInt8(2),
  };
}

/** The payload of RTM_NEWNEXTHOP. */
export function writeNexthop({ id = 0, gateway, group, protocol }: Nexthop): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  const attributes: Attribute[] = [u32Attribute(NHA.ID, id)];
  head.writeUInt8(protocol, 2);
  if (group !== undefined) {
    const members = group.map((one) => {
      const out = Buffer.alloc(MEMBER_BYTES);
      out.writeUInt32LE(one.id);
      out.writeUInt8((one.weight - 1) & 0xff, 4);
      return out;
    });
    attributes.push(bytesAttribute(NHA.GROUP, Buffer.concat(members)), u16Attribute(NHA.GROUP_TYPE, 0));
  }
  if (gateway !== undefined) {
    const bytes = ipBytes(gateway);
    head.writeUInt8(bytes.length === 4 ? AF.INET : AF.INET6, 0);
    head.writeUInt8(SCOPE_LINK, 1);
    attributes.push(bytesAttribute(NHA.GATEWAY, bytes));
  }
  attributes.push(flagAttribute(NHA.FDB));
  return Buffer.concat([head, writeAttributes(attributes)]);
}
