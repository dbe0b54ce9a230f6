/** EVPN routes into bytes; layouts in `nlri.ts`. */
import { viewOf } from '../bytes.js';
import { writeRd } from './rd.js';
import type { EvpnRoute, InclusiveRoute, MacIpRoute, PrefixRoute } from './route.js';
import { ESI_LENGTH, writeAddress, writeEsi, writeMac, writePrefix } from './texts.js';

/** Most bytes of a route of types 2, 3 and 5, with type and length. */
export const ROUTE_LIMIT = 2 + 58;

/** Writes routes one behind the other, into a buffer of its own. */
export class NlriWriter {
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  /** The distinguisher written last: most routes in a row have the same. */
  private rd = '';
  private readonly rdBytes = new Uint8Array(8);
  private readonly rdView = viewOf(this.rdBytes);

  /** @param size bytes that routes may take */
  constructor(size: number) {
    this.bytes = new Uint8Array(size + ROUTE_LIMIT);
    this.view = viewOf(this.bytes);
  }

  /**
   * Writes a route at `at`, where ROUTE_LIMIT bytes are free.
   * @returns where the next one goes
   * @throws RangeError for texts that are no RD, MAC, address or prefix, and numbers that do not fit
   */
  write(at: number, route: EvpnRoute): number {
    const start = at + 2;
    this.writeRd(start, route.rd);
    const end = this.writeBody(start, route);
    this.bytes[at] = route.type;
    this.bytes[at + 1] = end - start;
    return end;
  }

  private writeBody(start: number, route: EvpnRoute): number {
    switch (route.type) {
      case 2:
        return this.writeMacIp(start, route);
      case 3:
        return this.writeInclusive(start, route);
      case 5:
        return this.writePrefix(start, route);
    }
  }

  private writeMacIp(start: number, route: MacIpRoute): number {
    writeEsi(this.bytes, start + 8, route.esi);
    this.view.setUint32(start + 18, route.tag);
    this.bytes[start + 22] = 48;
    writeMac(this.bytes, start + 23, route.mac);
    let at = start + 30;
    const length = route.ip === undefined ? 0 : writeAddress(this.bytes, at, route.ip);
    this.bytes[start + 29] = length * 8;
    at += length;
    this.writeLabel(at, route.label);
    if (route.label2 === undefined) return at + 3;
    this.writeLabel(at + 3, route.label2);
    return at + 6;
  }

  private writeInclusive(start: number, route: InclusiveRoute): number {
    this.view.setUint32(start + 8, route.tag);
    const length = writeAddress(this.bytes, start + 13, route.origin);
    this.bytes[start + 12] = length * 8;
    return start + 13 + length;
  }

  private writePrefix(start: number, route: PrefixRoute): number {
    writeEsi(this.bytes, start + 8, route.esi);
    this.view.setUint32(start + 8 + ESI_LENGTH, route.tag);
    const { length, bits } = writePrefix(this.bytes, start + 23, route.prefix);
    this.bytes[start + 22] = bits;
    const gateway = start + 23 + length;
    if (writeAddress(this.bytes, gateway, route.gateway) !== length) {
      throw new RangeError(`gateway ${route.gateway} is of another family than prefix ${route.prefix}`);
    }
    this.writeLabel(gateway + length, route.label);
    return gateway + length + 3;
  }

  private writeRd(at: number, rd: string): void {
    if (rd !== this.rd) {
      writeRd(this.rdView, 0, rd);
      this.rd = rd;
    }
    this.bytes.set(this.rdBytes, at);
  }

  private writeLabel(at: number, label: number): void {
    if (!(label >= 0 && label <= 0xffffff)) throw new RangeError(`label ${label} does not fit into 24 bits`);
    this.view.setUint16(at, label >>> 8);
    this.bytes[at + 2] = label;
  }
}
