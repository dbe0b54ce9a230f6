/**
 * Random sequences of frames to one TAP, for tests of coalescing: TCP flows with occasional irregularities.
 */
import * as L from '../../src/port/packet-io.js';
import { ACK, type Below, build, CWR, ECE, FIN, noise, type PacketFields, PSH, SYN, UDP } from './packets.js';
import type { Item } from './reference-merge.js';

export function item(fields: PacketFields, more: Partial<Item> = {}): Item {
  const packet = build(fields);
  return { packet, open: fields.checksum === 'open', tag: 0, opaque: false, padded: false, ...more };
}

/** One TCP flow that goes on from call to call, and now and then does something else. */
class Flow {
  private readonly fields: PacketFields;
  private readonly tag: number;
  private sequence: number;
  private id: number;
  private readonly step: number;
  private segment: number;

  constructor(
    private readonly below: Below,
    number: number,
    private readonly trouble: number,
  ) {
    const tagged = below(3) === 0;
    this.tag = tagged ? [0, L.TAG_POP, L.TAG_REPLACE | 0x123][below(3)] : [0, L.TAG_PUSH | 0x456][below(2)];
    this.step = below(4) === 0 ? 0 : 1;
    this.fields = {
      family: below(2) ? 4 : 6,
      ports: [1000 + number, 2000],
      hosts: [1, 2],
      df: this.step === 0 || below(2) === 0,
      tcpOptions: Buffer.alloc(4 * below(4), 1),
      tags: tagged ? [[0x8100, 0x0abc]] : [],
      checksum: below(3) ? 'complete' : 'open',
      tos: below(256),
      flags: ACK | (below(4) ? 0 : ECE),
      payload: Buffer.alloc(0),
    };
    this.sequence = below(2) ? below(0x7fffffff) * 2 : 0xffff8000 + below(0x8000);
    this.id = below(2) ? below(0x10000) : 0xffe0 + below(0x20);
    this.segment = 1 + below(3000);
  }

  next(): Item {
    const { below } = this;
    const change: PacketFields = { ...this.fields, payload: noise(below, this.segment) };
    const more: Partial<Item> = { tag: this.tag };
    const flags = this.fields.flags as number;
    const event = below(this.trouble);
    if (event === 0) change.flags = flags | PSH;
    else if (event === 1) change.payload = noise(below, 1 + below(this.segment));
    else if (event === 2) change.flags = flags | [FIN, SYN, CWR, 4, 32][below(5)];
    else if (event === 3) change.checksum = 'wrong';
    else if (event === 4) this.sequence += 1 + below(9);
    else if (event === 5) this.id += 1;
    else if (event === 6) change.payload = Buffer.alloc(0);
    else if (event === 7) change.ack = below(99);
    else if (event === 8) change.window = below(99);
    else if (event === 9) change.tcpOptions = Buffer.alloc(4 * below(4), below(2));
    else if (event === 10) change.ttl = 1 + below(99);
    else if (event === 11) more.tag = this.tag === 0 ? L.TAG_PUSH | below(9) : this.tag;
    else if (event === 12) this.segment = 1 + below(3000);
    else if (event === 13) change.payload = noise(below, this.segment + 1);
    else if (event === 14) change.tos = below(256);
    else if (event === 15 && this.fields.family === 4) {
      change.ipOptions = { first: 0, bytes: Buffer.alloc(4, 1) };
      more.opaque = true;
    }
    const made = item({ ...change, sequence: this.sequence, id: this.id }, more);
    const { bytes, l3 } = made.packet;
    if (event === 16 && change.family === 4) bytes[l3 + 10] ^= 0x40;
    if (event === 17) {
      made.packet.bytes = Buffer.concat([bytes, Buffer.alloc(3)]);
      made.padded = true;
    }
    this.sequence = (this.sequence + change.payload.length) >>> 0;
    this.id = (this.id + this.step) & 0xffff;
    return made;
  }
}

export function randomRun(below: Below, count: number): Item[] {
  const trouble = [20, 60, 400][below(3)];
  const flows = Array.from({ length: 1 + below(below(3) ? 4 : 14) }, (_, i) => new Flow(below, i, trouble));
  let flow = flows[0];
  return Array.from({ length: count }, () => {
    if (below(3) === 0) flow = flows[below(flows.length)];
    const payload = noise(below, below(200));
    return below(40) === 0 ? item({ protocol: UDP, ports: [1000, 2000], payload }) : flow.next();
  });
}
