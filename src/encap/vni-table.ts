/**
 * The vxlan port, and the VLAN of its bridge, that a datagram's VNI belongs to: keyed by (receiving socket, VNI), since ports may
 * share a socket.
 *
 * A search costs much the same whether the VNI is known or not, so unknown VNIs cannot slow a switch down: at most half of the
 * slots are in use, and no search looks at more than PROBE_LIMIT of them; the table grows until every key lies within that of
 * its home. The keys are those of the configuration. Remotes can only search, so the hash needs no seed.
 */
import { PROBE_LIMIT } from '../shared-memory/probing.js';

const INITIAL_SLOTS = 256;

/** No port has the VNI. */
export const VNI_UNKNOWN = -1;

export class VniTable {
  private keys = new Int32Array(INITIAL_SLOTS).fill(-1);
  private values = new Int32Array(INITIAL_SLOTS);
  private used = 0;

  /** @returns port and VID, for `vniPort` and `vniVid`; or VNI_UNKNOWN */
  find(socket: number, vni: number): number {
    const { keys } = this;
    const mask = keys.length - 1;
    const key = keyOf(socket, vni);
    let slot = hash(key) & mask;
    for (let left = PROBE_LIMIT; left > 0; left--) {
      const found = keys[slot];
      if (found === key) return this.values[slot];
      if (found === -1) return VNI_UNKNOWN;
      slot = (slot + 1) & mask;
    }
    return VNI_UNKNOWN;
  }

  /** Maps a VNI of a socket, replacing an earlier mapping. Control path: may allocate. */
  set(socket: number, vni: number, port: number, vid: number): void {
    if ((this.used + 1) * 2 > this.keys.length) this.grow();
    while (!this.put(keyOf(socket, vni), (port << 12) | vid)) this.grow();
  }

  /**
   * Removes the mapping of a VNI of a socket. The keys behind it move up, so no tombstones lengthen searches however often
   * VNIs are added and removed. @returns false if there was none
   */
  remove(socket: number, vni: number): boolean {
    const { keys, values } = this;
    const mask = keys.length - 1;
    const key = keyOf(socket, vni);
    let hole = hash(key) & mask;
    while (keys[hole] !== key) {
      if (keys[hole] === -1) return false;
      hole = (hole + 1) & mask;
    }
    for (let slot = (hole + 1) & mask; keys[slot] !== -1; slot = (slot + 1) & mask) {
      // A key may not move to a slot before its home.
      const distance = (slot - hash(keys[slot])) & mask;
      if (distance < ((slot - hole) & mask)) continue;
      keys[hole] = keys[slot];
      values[hole] = values[slot];
      hole = slot;
    }
    keys[hole] = -1;
    this.used--;
    return true;
  }

  /** @returns false when no slot for the key lies within the probe limit */
  private put(key: number, value: number): boolean {
    const mask = this.keys.length - 1;
    let slot = hash(key) & mask;
    for (let left = PROBE_LIMIT; left > 0; left--) {
      if (this.keys[slot] === -1 || this.keys[slot] === key) {
        if (this.keys[slot] === -1) this.used++;
        this.keys[slot] = key;
        this.values[slot] = value;
        return true;
      }
      slot = (slot + 1) & mask;
    }
    return false;
  }

  /** Doubles the table, more than once if a key would lie beyond the probe limit. */
  private grow(): void {
    const { keys, values } = this;
    let isWhole = false;
    for (let slots = keys.length * 2; !isWhole; slots *= 2) {
      this.keys = new Int32Array(slots).fill(-1);
      this.values = new Int32Array(slots);
      this.used = 0;
      isWhole = keys.every((key, slot) => key === -1 || this.put(key, values[slot]));
    }
  }
}

/** The port of a value that `find` returned. */
export function vniPort(found: number): number {
  return found >>> 12;
}

/** The VID of a value that `find` returned; 0 on a port that has one VNI for all VLANs. */
export function vniVid(found: number): number {
  return found & 0xfff;
}

/** Fewer than 128 sockets: socket and VNI fit one word. */
function keyOf(socket: number, vni: number): number {
  return (socket << 24) | vni;
}

function hash(key: number): number {
  const h = Math.imul(key ^ (key >>> 16), 0x85ebca6b);
  return h ^ (h >>> 13);
}
