/**
 * Which vxlan port, and which VLAN of its bridge, a datagram's VNI belongs to: keyed by (receiving socket, VNI),
 * since ports may share a socket. A lookup costs the same whether the VNI is known or not (SEMANTICS: `vni_unknown`
 * at constant cost): load stays at one half or less.
 */

const INITIAL_SLOTS = 256;

/** A VNI that no port has. */
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
    for (;;) {
      const found = keys[slot];
      if (found === key) return this.values[slot];
      if (found === -1) return VNI_UNKNOWN;
      slot = (slot + 1) & mask;
    }
  }

  /** Maps a VNI of a socket; an earlier mapping of it is replaced. Control path: may allocate. */
  set(socket: number, vni: number, port: number, vid: number): void {
    if ((this.used + 1) * 2 > this.keys.length) this.grow();
    this.put(keyOf(socket, vni), (port << 12) | vid);
  }

  /**
   * Ends the mapping of a VNI of a socket. What stands behind it moves up, so that nothing of it is left in the way of
   * searches however often VNIs come and go. @returns false when there was none
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
      // A key may not be moved to before the slot where the search for it begins.
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

  private put(key: number, value: number): void {
    const mask = this.keys.length - 1;
    let slot = hash(key) & mask;
    while (this.keys[slot] !== -1 && this.keys[slot] !== key) slot = (slot + 1) & mask;
    if (this.keys[slot] === -1) this.used++;
    this.keys[slot] = key;
    this.values[slot] = value;
  }

  private grow(): void {
    const { keys, values } = this;
    this.keys = new Int32Array(keys.length * 2).fill(-1);
    this.values = new Int32Array(keys.length * 2);
    this.used = 0;
    for (let slot = 0; slot < keys.length; slot++) {
      if (keys[slot] !== -1) this.put(keys[slot], values[slot]);
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

/** Sockets are few (under 128), so both fit one word. */
function keyOf(socket: number, vni: number): number {
  return (socket << 24) | vni;
}

function hash(key: number): number {
  const h = Math.imul(key ^ (key >>> 16), 0x85ebca6b);
  return h ^ (h >>> 13);
}
