/**
 * Makes loop probes, and tells genuine ones from forged and old ones. The secret is of this process and of one run.
 */
import { createHmac, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { AUTHENTICATOR, decodeProbe, encodeProbe } from '../../wire/loop-probe.js';
import type { BridgeModel, Port } from '../model/model.js';

/** Ticks for which a probe is good: longer than a frame waits in a full queue, too short to be kept for later. */
const GOOD_FOR = 20;
const MOST_NUMBER = 2 ** 32;

export class ProbeMint {
  private readonly secret = randomBytes(32);
  private readonly numbers = new Map<Port, number>();
  private readonly ports = new Map<number, Port>();

  /** A probe that leaves by a port of the bridge. @param moment ticks */
  make(port: Port, bridge: BridgeModel, vid: number, moment: number): Uint8Array {
    const facts = { vid, bridge: bridge.probeId, port: this.numberOf(port), moment: moment % MOST_NUMBER };
    return encodeProbe(facts, (signed) => this.sign(signed));
  }

  /** The port of the bridge that sent the probe, and its VLAN; null: it is forged, too old, or of a port that is no more. */
  read(frame: Uint8Array, { probeId }: BridgeModel, moment: number): { port: Port; vid: number } | null {
    const probe = decodeProbe(frame);
    if (probe === null || probe.bridge[0] !== probeId[0] || probe.bridge[1] !== probeId[1]) return null;
    if (!timingSafeEqual(this.sign(probe.signed), probe.authenticator)) return null;
    const age = ((moment % MOST_NUMBER) - probe.moment + MOST_NUMBER) % MOST_NUMBER;
    const port = this.ports.get(probe.port);
    return port === undefined || age > GOOD_FOR ? null : { port, vid: probe.vid };
  }

  /** Forgets ports that are no more. */
  keep(isPresent: (port: Port) => boolean): void {
    for (const [port, number] of this.numbers) {
      if (isPresent(port)) continue;
      this.numbers.delete(port);
      this.ports.delete(number);
    }
  }

  private numberOf(port: Port): number {
    let number = this.numbers.get(port);
    while (number === undefined) {
      const drawn = randomInt(MOST_NUMBER);
      if (!this.ports.has(drawn)) number = drawn;
    }
    this.numbers.set(port, number);
    this.ports.set(number, port);
    return number;
  }

  private sign(bytes: Uint8Array): Buffer {
    return createHmac('sha256', this.secret).update(bytes).digest().subarray(0, AUTHENTICATOR);
  }
}
