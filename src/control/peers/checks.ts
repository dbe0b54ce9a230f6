/**
 * What a source may put in. Rows come from other hosts, so nothing is taken for granted: each check returns the row in its one form, or the
 * reason of a refusal in words.
 */
import { familyOf, readHostIp, readNicMac } from '../../values/address.js';
import { isTunnel, type SwitchModel } from '../model/model.js';
import type { PeerBinding, PeerFlood } from './contract.js';

const MOST_VNI = 0xff_ffff;

/** @param isOwn whether a remote of a port is this host */
export interface Surroundings {
  model: SwitchModel;
  isOwn(port: string, remote: string): boolean;
}

export function readFlood(row: PeerFlood, around: Surroundings): PeerFlood | string {
  const { port, vni, dstport, sentVni } = row;
  const remote = readHostIp(row.remote);
  if (typeof remote !== 'string') return remote.message;
  if (dstport !== undefined && !isBetween(dstport, 1, 0xffff)) return `${dstport} is no UDP port`;
  if (!isBetween(vni, 1, MOST_VNI)) return noVni(vni);
  if (sentVni !== undefined && !isBetween(sentVni, 1, MOST_VNI)) return noVni(sentVni);
  const fault = faultOfRemote(port, remote, around);
  if (fault !== null) return fault;
  return {
    port,
    vni,
    remote,
    ...(dstport === undefined ? {} : { dstport }),
    ...(sentVni === undefined || sentVni === vni ? {} : { sentVni }),
  };
}

export function readBinding(row: PeerBinding): PeerBinding | string {
  const [ip, mac] = [readHostIp(row.ip), readNicMac(row.mac)];
  if (typeof ip !== 'string') return ip.message;
  if (typeof mac !== 'string') return mac.message;
  if (!isBetween(row.vni, 1, MOST_VNI)) return noVni(row.vni);
  return { port: row.port, vni: row.vni, ip, mac, isRouter: row.isRouter };
}

/** A remote that the port, if it is there, could not send to, or that would loop its frames back. */
function faultOfRemote(name: string, remote: string, { model, isOwn }: Surroundings): string | null {
  const port = model.ports.get(name);
  if (port === undefined) return null;
  if (!isTunnel(port)) return `${name} is no vxlan port`;
  const { family, local } = port.config;
  if (familyOf(remote) !== family) return `${remote} is no IPv${family} address, as the remotes of ${name} are`;
  return local === remote || isOwn(name, remote) ? `${remote} is an address of this host` : null;
}

function isBetween(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function noVni(vni: number): string {
  return `${vni} is no VNI: they are 1 to ${MOST_VNI}`;
}
