/**
 * Rate limiter for l2miss and l3miss events: a small direct-mapped cache, so that one miss is reported at most once per tick
 * unless a colliding one overwrites its slot. Each engine has its own.
 */

const PLACES = 256;
/** Kind, port and VLAN; four words; the tick. */
const WORDS = 6;

export class MissLimiter {
  private readonly told = new Int32Array(PLACES * WORDS).fill(-1);

  /** Whether this miss was not reported in this tick yet; records it. */
  isNew(kind: number, port: number, vid: number, a: number, b: number, c: number, d: number, tick: number): boolean {
    const { told } = this;
    const what = (kind << 28) | (port << 12) | vid;
    let h = Math.imul(a ^ what, 0x9e3779b1);
    h = Math.imul(h ^ b ^ (h >>> 15), 0x85ebca6b);
    h = Math.imul(h ^ c ^ (h >>> 13), 0xc2b2ae35);
    h = Math.imul(h ^ d ^ (h >>> 14), 0x27d4eb2f);
    const at = ((h ^ (h >>> 16)) & (PLACES - 1)) * WORDS;
    const isSame = told[at] === what && told[at + 1] === a && told[at + 2] === b && told[at + 3] === c;
    if (isSame && told[at + 4] === d && told[at + 5] === tick) return false;
    told[at] = what;
    told[at + 1] = a;
    told[at + 2] = b;
    told[at + 3] = c;
    told[at + 4] = d;
    told[at + 5] = tick;
    return true;
  }
}
