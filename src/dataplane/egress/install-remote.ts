/**
 * The VTEPs that engines meet (`accept_vteps: any`): each engine's Nic is told the address of one when the engine first sends
 * there. Their numbers are given again without an operation, so what was told holds for a version of the number's row only.
 */
import { STATIC_REMOTES } from '../../encap/remotes.js';
import type { Context } from '../state/context.js';

/**
 * Sees to it that the Nic knows the address of a remote that engines have numbered (hot).
 * @returns false when the number stands for no VTEP any more
 */
export function installRemote(sw: Context, remote: number): boolean {
  const version = sw.remotes.version(remote);
  return sw.metRemotes[remote - STATIC_REMOTES] === version || tellNic(sw, remote, version);
}

/** The row is read between two looks at its version. What was known of the path to the number's last bearer is forgotten. */
function tellNic({ metRemotes, nic, pathMtus, remotes }: Context, remote: number, version: number): boolean {
  const address = remotes.address(remote);
  const udpPort = remotes.udpPort(remote);
  if (udpPort === 0 || (version & 1) !== 0 || remotes.version(remote) !== version) return false;
  const [a0, a1, a2, a3] = address;
  nic.setRemote(remote, a0, a1, a2, a3, udpPort);
  pathMtus.begin(remote, address);
  metRemotes[remote - STATIC_REMOTES] = version;
  return true;
}
