/**
 * Remotes that engines have numbered (`accept_vteps: any`): an engine installs the address in its PacketIo when it first sends there. Such
 * numbers are reused without a control operation, so an installed address is valid for one version of the number's row only.
 */
import { STATIC_REMOTES } from '../../encap/remotes.js';
import type { Context } from '../state/context.js';

const address = new Int32Array(4);

/** Installs the address of an engine-numbered remote in the PacketIo, if it is not there (hot). @returns false when the number is free */
export function installRemote(sw: Context, remote: number): boolean {
  const version = sw.remotes.version(remote);
  return sw.installedRemotes[remote - STATIC_REMOTES] === version || install(sw, remote, version);
}

/** The row is read between two reads of its version. The path MTU of the number's previous remote is cleared. */
function install({ installedRemotes, io, pathMtus, remotes }: Context, remote: number, version: number): boolean {
  remotes.addressInto(remote, address);
  const udpPort = remotes.udpPort(remote);
  if (udpPort === 0 || (version & 1) !== 0 || remotes.version(remote) !== version) return false;
  io.setRemote(remote, address[0], address[1], address[2], address[3], udpPort);
  pathMtus.begin(remote, address);
  installedRemotes[remote - STATIC_REMOTES] = version;
  return true;
}
