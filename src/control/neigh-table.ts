/**
 * The bindings of addresses to MACs that were put in by hand: what ARP and ND suppression is to answer from. It holds and
 * checks them; answering is the engines' part.
 */
import { parseMac } from '../wire/ethernet.js';
import { formatAddress, parseAddress } from '../wire/ip-address.js';
import type { NeighRequest, NeighRow } from './api.js';
import { ChangeRefused } from './controls.js';
import type { Port, SwitchModel, VxlanPort } from './model.js';

/** Bindings of a switch. */
const MAX_BINDINGS = 65_536;

type Addition = Extract<NeighRequest, { op: 'add' | 'replace' }>;

export class NeighTable {
  private readonly rows = new Map<string, NeighRow>();

  constructor(private readonly model: SwitchModel) {}

  list(): NeighRow[] {
    return [...this.rows.values()];
  }

  /** @throws ChangeRefused */
  change(request: NeighRequest): void {
    const port = this.portOf(request.dev);
    const dst = canonicalAddress(request.dst);
    const place = placeOf(port, request);
    const key = `${port.name} ${place.vlan ?? 0} ${dst}`;
    if (request.op === 'del') {
      if (!this.rows.delete(key))
        throw new ChangeRefused(
          `port ${port.name} has no binding of ${dst}${place.vlan === undefined ? '' : ` in VLAN ${place.vlan}`}`,
          'not_found',
        );
      return;
    }
    if (request.op === 'add' && this.rows.has(key))
      throw new ChangeRefused(`${dst} has a binding already; use replace, or del first`, 'exists');
    if (!this.rows.has(key) && this.rows.size >= MAX_BINDINGS)
      throw new ChangeRefused(`a switch holds at most ${MAX_BINDINGS} bindings`, 'full');
    this.rows.set(key, rowOf(request, port, dst, place));
  }

  /** Forgets the bindings of ports and VLANs that are no more. */
  prune(): void {
    for (const [key, row] of this.rows) {
      const port = this.model.ports.get(row.ifname);
      const isThere = port !== undefined && (row.vlan === undefined || port.vlans.has(row.vlan));
      if (!isThere) this.rows.delete(key);
    }
  }

  private portOf(name: string): VxlanPort {
    const port: Port | undefined = this.model.ports.get(name);
    if (port === undefined)
      throw new ChangeRefused(`there is no port "${name}"; "link show" lists those that there are`, 'not_found');
    if (port.kind === 'vxlan') return port;
    throw new ChangeRefused(`${name} is a tap port; bindings are answered for what is behind a vxlan port: give one`);
  }
}

/** VLAN and VNI name each other on a vlan_tunnel port; a port with one VNI has but that. */
function placeOf(port: VxlanPort, { vlan, vni }: NeighRequest): { vlan?: number; vni?: number } {
  if (!port.config.vlanTunnel) {
    const own = port.config.id as number;
    if (vni !== undefined && vni !== own) throw new ChangeRefused(`port ${port.name} carries VNI ${own} only`);
    if (vlan !== undefined && !port.vlans.has(vlan)) throw notMember(port, vlan);
    return { ...(vlan === undefined ? {} : { vlan }), vni: own };
  }
  if (vlan === undefined && vni === undefined)
    throw new ChangeRefused(
      `port ${port.name} carries many networks; say with vlan or vni which one the binding is in`,
    );
  const mapped = port.vnis.find(
    (one) => (vlan === undefined || one.vid === vlan) && (vni === undefined || one.vni === vni),
  );
  if (mapped === undefined || mapped.vid === null) {
    if (vlan !== undefined) throw notMember(port, vlan);
    throw new ChangeRefused(`no VLAN of port ${port.name} is mapped to VNI ${vni}`);
  }
  return { vlan: mapped.vid, vni: mapped.vni };
}

function notMember(port: VxlanPort, vlan: number): ChangeRefused {
  return new ChangeRefused(
    `port ${port.name} does not carry VLAN ${vlan}; "vlan show dev ${port.name}" lists those it does`,
  );
}

function rowOf(request: Addition, port: VxlanPort, dst: string, place: { vlan?: number; vni?: number }): NeighRow {
  const mac = parseMac(request.lladdr);
  if (mac === null || (mac.high & 0x0100) !== 0 || (mac.high === 0 && mac.low === 0))
    throw new ChangeRefused(`"${request.lladdr}" is no unicast MAC address; give one such as 02:00:00:00:00:01`);
  return {
    dst,
    lladdr: request.lladdr.toLowerCase(),
    ...place,
    ifname: port.name,
    state: request.state ?? 'permanent',
    ...(request.router === true ? { router: true } : {}),
  };
}

function canonicalAddress(text: string): string {
  const parsed = parseAddress(text);
  if (parsed === null) throw new ChangeRefused(`"${text}" is no IP address; give one such as 198.18.0.3`);
  const [a, b, c, d] = parsed.words;
  return formatAddress(a, b, c, d);
}
