/** Rules of liveness sessions of vxlan ports. */
import { MANAGEMENT_VNI } from '../../wire/bfd-vxlan.js';
import type { DecodedVxlan } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';
import { dstportOf, localOf, remoteLists } from './vxlan.js';

/** Checks the ports of one file. */
export function checkLiveness(ports: readonly DecodedVxlan[], faults: FaultList): void {
  for (const port of ports) {
    checkBackup(port, faults);
    checkProbes(port, faults);
    if (port.given.bfd === 'vxlan') checkManagement(port, ports, faults);
  }
}

function checkBackup(port: DecodedVxlan, faults: FaultList): void {
  const { bfd_backup: backup, bfd = 'off' } = port.given;
  if (backup === undefined) return;
  const at = [...port.path, 'bfd_backup'];
  if (bfd === 'off') faults.at(at, 'only BFD finds out that a remote is dead; give bfd too, or remove it');
  else if (!remoteLists(port).some(({ value }) => value === backup))
    faults.at(at, `${backup} is no remote of the port; add it to remotes or peers, or choose one of these`);
}

function checkProbes({ given, path }: DecodedVxlan, faults: FaultList): void {
  const { path_mtu_probes: probes = false, bfd = 'off' } = given;
  if (probes && bfd === 'off')
    faults.at([...path, 'path_mtu_probes'], 'probes are packets of BFD sessions; give bfd too, or remove it');
}

/** RFC 8971 section 3: the management VNI has no tenants. Ports that share a socket share it. */
function checkManagement(port: DecodedVxlan, ports: readonly DecodedVxlan[], faults: FaultList): void {
  const { local, bfd_vni: vni = MANAGEMENT_VNI } = port.given;
  if (local === undefined && !port.rejected.has('local'))
    faults.at([...port.path, 'bfd'], 'packets inside VXLAN name their sender; give local');
  const place = `${localOf(port)} ${dstportOf(port)}`;
  for (const other of ports) {
    if (`${localOf(other)} ${dstportOf(other)}` !== place) continue;
    const own = other.given.bfd === 'vxlan' ? (other.given.bfd_vni ?? MANAGEMENT_VNI) : vni;
    if (own !== vni)
      faults.at([...port.path, 'bfd_vni'], `port ${other.name} has ${own} at the same address; give both one`);
    if (!carries(other, vni)) continue;
    faults.at(
      [...port.path, 'bfd'],
      `VNI ${vni} is the management VNI, and port ${other.name} carries it; give another bfd_vni`,
    );
  }
}

function carries({ given, vlanList }: DecodedVxlan, vni: number): boolean {
  if (given.vlan_tunnel !== true) return given.id === vni;
  return (vlanList ?? []).some(
    ({ given: { tunnel_info: vnis } }) => vnis !== undefined && vnis.first <= vni && vni <= vnis.last,
  );
}
