/**
 * Which addresses are those of a layer-3 port: its configured ones, and the link-local IPv6 address that its host sends from,
 * which the neighbour table remembers.
 */
import { BINDING_FLAGS, BINDING_PORT, BINDING_WORDS, NEIGH_SET } from '../../neigh/table.js';
import type { Context } from '../state/context.js';
import { LAYER3, UP } from '../state/forwarding.js';
import type { Layer3Port } from '../state/layer3.js';
import { isLinkLocal6 } from './next-hop.js';

/** Scratch of this file. */
const heard = new Int32Array(BINDING_WORDS);

/** The layer-3 port in a VLAN of a bridge that has the address at `words[at]` by its configuration; -1: none. */
export function configuredOwner(sw: Context, bridge: number, vid: number, words: Int32Array, at: number): number {
  const { forwarding, layer3 } = sw;
  const { ports } = layer3;
  for (let index = 0; index < ports.length; index++) {
    const port = ports[index];
    if (forwarding.portBridge[port] !== bridge || (forwarding.portFlags[port] & UP) === 0) continue;
    if (forwarding.bridgeTpid[bridge] !== 0 && !forwarding.isMember(port, vid)) continue;
    const own = layer3.of[port]?.own;
    if (own !== undefined && indexOf(own, words, at) >= 0) return port;
  }
  return -1;
}

/** The layer-3 port that has the address by its configuration or, a link-local one, has sent from it; -1: none. */
export function ownerOf(sw: Context, bridge: number, vid: number, fid: number, words: Int32Array, at: number): number {
  const port = configuredOwner(sw, bridge, vid, words, at);
  if (port >= 0 || !isLinkLocal6(words, at) || !sw.neigh.read(fid, words, at, heard)) return port;
  // One that was put in is a neighbour of the port, and not its own address.
  if ((heard[BINDING_FLAGS] & NEIGH_SET) !== 0) return -1;
  return (sw.forwarding.portFlags[heard[BINDING_PORT]] & LAYER3) === 0 ? -1 : heard[BINDING_PORT];
}

/** Whether it is an address of the port by its configuration. */
export function isOwnAddress({ own }: Layer3Port, words: Int32Array): boolean {
  return indexOf(own, words, 0) >= 0;
}

/** Place of the address at `words[at]` in a list of addresses; -1: it is not there. */
function indexOf(list: Int32Array, words: Int32Array, at: number): number {
  for (let word = 0; word < list.length; word += 4) {
    if (
      list[word + 3] === words[at + 3] &&
      list[word + 2] === words[at + 2] &&
      list[word + 1] === words[at + 1] &&
      list[word] === words[at]
    )
      return word >> 2;
  }
  return -1;
}
