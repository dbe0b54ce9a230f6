/**
 * Networks and endpoints as links of the live document: pure edits, each without effect if it is done already.
 */
import {
  asMapping,
  type Document,
  findLink,
  getBridge,
  type Mapping,
  withBody,
  withKey,
  withoutKey,
  withoutPort,
  withPort,
} from '../../config/edit/tree.js';
import type { Endpoint, Network } from './records.js';

/** Where the NIC of an endpoint is: in the host under the port's name, or in a container. */
export interface Place {
  netns?: string;
  ifname: string;
}

/** The VNI of a network, on the vxlan port. */
export function withNetwork(document: Document, { port, vlan, vni, remotes }: Network): Document {
  const link = port === undefined ? undefined : findLink(document, port);
  if (link === undefined) return document;
  const rows = rowsOf(link.body);
  if (rows.some((row) => row.vid === vlan)) return document;
  const row = { vid: vlan, tunnel_info: vni, ...(remotes.length === 0 ? {} : { remotes }) };
  return withBody(document, link, withKey(link.body, 'vlans', [...rows, row]));
}

export function withoutNetwork(document: Document, { port, vlan, vni }: Network): Document {
  const link = port === undefined ? undefined : findLink(document, port);
  if (link === undefined) return document;
  const rows = rowsOf(link.body);
  const rest = rows.filter((row) => row.vid !== vlan || row.tunnel_info !== vni);
  if (rest.length === rows.length) return document;
  const body = rest.length === 0 ? withoutKey(link.body, 'vlans') : withKey(link.body, 'vlans', rest);
  return withBody(document, link, body);
}

function rowsOf(body: Mapping): Mapping[] {
  return Array.isArray(body.vlans) ? body.vlans.map(asMapping) : [];
}

/** @throws EditRefused when the bridge is not there */
export function withEndpoint(
  document: Document,
  name: string,
  endpoint: Endpoint,
  network: Network,
  at: Place,
): Document {
  const { vlan, mtu, bridge } = network;
  getBridge(document, bridge);
  const body = {
    type: 'tap',
    ...(at.netns === undefined ? {} : { netns: at.netns }),
    ifname: at.ifname,
    mac: endpoint.mac,
    ...(endpoint.addresses === undefined ? {} : { addresses: endpoint.addresses }),
    // It stays in the container when the switch ends, however that ends.
    persist: true,
    ...(mtu === undefined ? {} : { mtu }),
    ...(vlan === undefined ? {} : { vlans: [{ vid: vlan, pvid: true, untagged: true }] }),
  };
  return withPort(document, bridge, name, body);
}

export function withoutEndpoint(document: Document, name: string): Document {
  const link = findLink(document, name);
  return link?.kind === 'port' ? withoutPort(document, link.bridge, link.name) : document;
}

/** A new document, and the links of networks and endpoints as they are in the present one. @throws EditRefused */
export function withLinksOf(
  given: Document,
  present: Document,
  networks: readonly Network[],
  ports: readonly string[],
): Document {
  let out = given;
  for (const network of networks) {
    getBridge(out, network.bridge);
    out = withNetwork(out, network);
  }
  for (const name of ports) {
    const link = findLink(present, name);
    if (link?.kind === 'port') out = withPort(out, link.bridge, link.name, link.body);
  }
  return out;
}
