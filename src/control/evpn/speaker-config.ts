/** The speaker's configuration out of that of the switch. Pure, but for the files of passwords, which the caller reads. */
import type { EvpnConfig } from '../../config/types.js';
import type { NeighborConfig, SpeakerConfig, VniConfig } from '../../evpn/contract.js';
import type { LocalVrf } from '../peers/route-contract.js';
import { isTunnel, type SwitchModel, type VxlanPort } from '../model/model.js';

/** Vxlan ports that take part and have an address to tell. */
export function evpnPorts({ ports }: Pick<SwitchModel, 'ports'>): (VxlanPort & { config: { local: string } })[] {
  return [...ports.values()].filter(
    (port): port is VxlanPort & { config: { local: string } } =>
      isTunnel(port) && port.config.type === 'vxlan' && port.config.evpn && port.config.local !== undefined,
  );
}

/** @param passwordOf of a neighbour with a file of it @param vrfs those with a door have a VNI of layer 3 */
export function speakerConfigOf(
  evpn: EvpnConfig,
  model: Pick<SwitchModel, 'ports'>,
  passwordOf: (path: string) => string,
  vrfs: readonly LocalVrf[] = [],
): SpeakerConfig {
  return {
    asn: evpn.asn,
    routerId: evpn.router_id,
    listen: evpn.listen,
    neighbors: evpn.neighbors.map((neighbor) => neighborOf(neighbor, passwordOf)),
    vnis: vnisOf(evpn, model, vrfs),
    duplicates: evpn.duplicates,
  };
}

function neighborOf(
  { password_file, ...neighbor }: EvpnConfig['neighbors'][number],
  passwordOf: (path: string) => string,
): NeighborConfig {
  const password = password_file === undefined ? undefined : passwordOf(password_file);
  return { ...neighbor, ...(password === undefined ? {} : { password }) };
}

function vnisOf(evpn: EvpnConfig, model: Pick<SwitchModel, 'ports'>, vrfs: readonly LocalVrf[]): VniConfig[] {
  const doors = new Map(vrfs.flatMap(({ vrf, door }) => (door === null ? [] : [[door.l3vni, { vrf, door }] as const])));
  const behind = new Map(vrfs.flatMap(({ door, vnis }) => (door === null ? [] : vnis.map((vni) => [vni, door.l3vni]))));
  const own = new Map(evpn.vnis.map((vni) => [vni.vni, vni]));
  const carried = evpnPorts(model).flatMap((port) => port.vnis.map(({ vni }) => ({ vni, port })));
  const numbers = rdNumbers(carried.map(({ vni }) => vni));
  return carried.map(({ vni, port }): VniConfig => {
    const given = own.get(vni);
    const automatic = [targetOf(evpn.asn, vni)];
    const l3 = doors.get(vni);
    return {
      vni,
      kind: l3 === undefined ? 'l2' : 'l3',
      owner: l3 === undefined ? port.name : (l3.vrf ?? 'default'),
      local: port.config.local,
      rd: given?.rd ?? `${evpn.router_id}:${numbers.get(vni)}`,
      imports: given?.import ?? automatic,
      exports: given?.export ?? automatic,
      floods: l3 === undefined,
      ...(l3 === undefined ? l3vniOf(behind.get(vni)) : { routerMac: l3.door.routerMac }),
    };
  });
}

/** Own MAC/IP routes of a VNI behind a gateway have the label of its VRF, too. */
const l3vniOf = (l3vni: number | undefined): Pick<VniConfig, 'l3vni'> => (l3vni === undefined ? {} : { l3vni });

/** RFC 8365 section 5.1.2.1, in the form that FRR has: the lower 16 bits of the AS, and the VNI. */
function targetOf(asn: number, vni: number): string {
  return `${asn & 0xffff}:${vni}`;
}

/**
 * The number of each VNI in its distinguisher, of which there are 65,536 for an address (RFC 4364 type 1): the VNI's lower 16 bits, or the next
 * free one. So it depends on the VNIs of this switch only where two of them share these bits.
 */
function rdNumbers(vnis: readonly number[]): Map<number, number> {
  const numbers = new Map<number, number>();
  const taken = new Set<number>();
  for (const vni of [...vnis].sort((one, other) => one - other)) {
    let number = vni & 0xffff;
    while (taken.has(number) && taken.size < 0x1_0000) number = (number + 1) & 0xffff;
    taken.add(number);
    numbers.set(vni, number);
  }
  return numbers;
}
