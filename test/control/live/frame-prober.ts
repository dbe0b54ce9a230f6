/**
 * Sends frames into every port of a switch and from remotes, and compares each egress copy with the model.
 */
import { expect } from 'vitest';
import { viewOf } from '../../../src/wire/bytes.js';
import { ETHERTYPE_VLAN, encodeEthernet } from '../../../src/wire/ethernet.js';
import { encodeVlan } from '../../../src/wire/vlan.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { GROUP, OWN, REMOTES, UNICAST, VIDS, VNIS } from './live-documents.js';
import { type Frame, leftText } from './live-frames.js';
import type { Model } from './live-model.js';
import type { Left, LiveSwitch } from './live-switch.js';

/** Frames that are sent after each change. */
const PROBES = 16;
const STRANGER = '198.51.100.9';
const EXPERIMENTAL = 0x88b5;
const SOURCES = [...UNICAST, ...UNICAST, ...OWN];
const DESTINATIONS = [...UNICAST, ...UNICAST, ...OWN, 'ff:ff:ff:ff:ff:ff', GROUP, '01:80:c2:00:00:0e'];
const TAGS: number[][] = [[], [], [], [], [0], ...VIDS.map((vid) => [vid]), [2, 3]];

function encode({ id, source, destination, tags }: Frame): Uint8Array {
  let etherType = EXPERIMENTAL;
  let payload: Uint8Array = new Uint8Array(46);
  viewOf(payload).setUint32(0, id);
  for (const vid of [...tags].reverse()) {
    payload = encodeVlan(vid, etherType, payload);
    etherType = ETHERTYPE_VLAN;
  }
  return encodeEthernet({ source, destination, etherType, payload });
}

function decode({ to, frame }: Left): string {
  const view = viewOf(frame);
  const tags: number[] = [];
  let at = 12;
  for (; view.getUint16(at) === ETHERTYPE_VLAN; at += 4) tags.push(view.getUint16(at + 2) & 0xfff);
  return leftText(view.getUint32(at + 2), to, tags);
}

interface Probe {
  isClosed: boolean;
  /** Sends it, and says what was sent and what has to leave. */
  put(sent: string[], expected: string[]): void;
}

/** Sends frames into every port and from remotes, and compares every copy that leaves. */
export class Prober {
  private state: number;
  private id = 0;

  constructor(seed: number) {
    this.state = seed | 1;
  }

  private below(count: number): number {
    this.state = (Math.imul(this.state, 0x41c64e6d) + 12_345) & 0x7fffffff;
    return (this.state >>> 8) % count;
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  probe(live: LiveSwitch, model: Model, count = PROBES): void {
    const texts: string[] = [];
    for (let engine = live.workers - 1; engine >= 0; engine--) {
      const sent: string[] = [];
      const expected: string[] = [];
      const made = Array.from({ length: Math.ceil(count / live.workers) }, () => this.one(engine, live, model));
      // An engine learns at once from what a closed port takes in, and from the rest of a batch later.
      for (const isFirst of [true, false]) {
        for (const one of made) if (one?.isClosed === isFirst) one.put(sent, expected);
      }
      const got = live.turn(engine).map(decode).sort();
      expected.sort();
      if (got.length === expected.length && got.every((text, at) => text === expected[at])) continue;
      const ids = new Set(
        [...difference(got, expected), ...difference(expected, got)].map((text) => text.split(' ')[0]),
      );
      const about = (list: string[]): string[] => list.filter((text) => ids.has(text.split(' ')[0]));
      texts.push(`sent by engine ${engine}:\n      ${about(sent).join('\n      ')}`);
      expect(about(got), texts.join('\n')).toEqual(about(expected));
    }
  }

  /** A frame and the way that it comes in; null: there is none. */
  private one(engine: number, live: LiveSwitch, model: Model): Probe | null {
    const id = ++this.id;
    const frame = { id, source: this.pick(SOURCES), destination: this.pick(DESTINATIONS), tags: this.pick(TAGS) };
    const what = `${frame.source} > ${frame.destination} [${frame.tags.join(' ')}]`;
    const { receivers, taps } = model;
    if (receivers.length > 0 && this.below(5) < 2) {
      const receiver = this.pick(receivers);
      const from = this.below(12) === 0 ? STRANGER : this.pick(REMOTES);
      const vni = this.below(12) === 0 ? 99 : this.pick(VNIS);
      const put = (sent: string[], expected: string[]): void => {
        sent.push(`${id} from ${from} vni ${vni} to ${receiver}: ${what}`);
        expected.push(...model.fromRemote(receiver, from, vni, frame));
        if (!live.injectDatagram(engine, receiver, from, encodeVxlan(vni, encode(frame))))
          throw new Error(`no ${receiver}`);
      };
      return { isClosed: model.isClosed({ receiver, vni }, frame), put };
    }
    if (taps.length === 0) return null;
    const tap = this.pick(taps);
    const put = (sent: string[], expected: string[]): void => {
      sent.push(`${id} into ${tap}: ${what}`);
      expected.push(...model.fromTap(tap, frame));
      if (!live.inject(engine, tap, encode(frame))) throw new Error(`no TAP ${tap}`);
    };
    return { isClosed: model.isClosed({ tap }, frame), put };
  }
}

function difference(one: readonly string[], other: readonly string[]): string[] {
  const rest = [...other];
  return one.filter((text) => {
    const at = rest.indexOf(text);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}
