/**
 * Holds a switch against its model: what it says, where it sends, what it has open; and takes both through a sequence of
 * changes. Every difference throws.
 */
import { expect } from 'vitest';
import { ConfigError } from '../../src/config/load.js';
import { ChangeRefused } from '../../src/control/controls.js';
import { Numbers } from '../../src/control/numbers.js';
import { viewOf } from '../../src/wire/bytes.js';
import { ETHERTYPE_VLAN, encodeEthernet } from '../../src/wire/ethernet.js';
import { encodeVlan } from '../../src/wire/vlan.js';
import { encodeVxlan } from '../../src/wire/vxlan.js';
import { EMPTY, GROUP, OWN, REMOTES, type Sequence, type Step, UNICAST, VIDS, VNIS } from './live-changes.js';
import { Refused, type Raw } from './live-config.js';
import { type Frame, leftText } from './live-frames.js';
import { type Change, Model } from './live-model.js';
import { type Left, LiveSwitch } from './live-switch.js';
import { vnisOf } from './live-table.js';

/** Frames that are sent after each change. */
const PROBES = 24;
const STRANGER = '198.51.100.9';
const EXPERIMENTAL = 0x88b5;
const SOURCES = [...UNICAST, ...UNICAST, ...OWN];
const DESTINATIONS = [...UNICAST, ...UNICAST, ...OWN, 'ff:ff:ff:ff:ff:ff', GROUP, '01:80:c2:00:00:0e'];
const TAGS: number[][] = [[], [], [], [], [0], ...VIDS.map((vid) => [vid]), [2, 3]];

/** Text in which the order of keys does not matter. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}

const sorted = (rows: readonly unknown[]): string[] => rows.map(canonical).sort();

function same(what: string, said: readonly string[], expected: readonly string[]): void {
  if (said.length === expected.length && said.every((text, at) => text === expected[at])) return;
  expect(said, what).toEqual(expected);
}

// ---- What it says

/** Memberships as the model tells them. */
function vlanTexts(live: LiveSwitch): string[] {
  const { vlans, tunnels } = live.vlans();
  const texts = vlans.flatMap(({ ifname, vlans: ranges }) =>
    ranges.flatMap(({ vlan, vlanEnd = vlan, flags }) =>
      Array.from({ length: vlanEnd - vlan + 1 }, (_, i) => [ifname, vlan + i, ...flags].join(' ')),
    ),
  );
  const mapped = tunnels.flatMap(({ ifname, tunnels: ranges }) =>
    ranges.flatMap(({ vlan, vlanEnd = vlan, tunid }) =>
      Array.from({ length: vlanEnd - vlan + 1 }, (_, i) => `${ifname} ${vlan + i} = ${tunid + i}`),
    ),
  );
  return [...texts, ...mapped].sort();
}

export function checkAnswers(live: LiveSwitch, model: Model): void {
  same('links', sorted(live.links()), sorted(model.links()));
  same('vlans', vlanTexts(live), model.vlans());
  same('fdb', sorted(live.fdb()), sorted(model.fdb()));
  checkBalance(live);
}

/** Every frame received is transmitted, once for each copy, or counted under one reason. */
function checkBalance(live: LiveSwitch): void {
  const { links, drops, replicated, retired } = live.stats();
  const sum = (counts: Record<string, number | undefined>): number =>
    Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0);
  let received = replicated + retired.rx_packets;
  let accounted = retired.tx_packets + sum(retired.drops) + sum(drops);
  for (const { rx_packets, tx_packets } of Object.values(links)) {
    received += rx_packets;
    accounted += tx_packets;
  }
  if (received !== accounted) expect.fail(`received and copied ${received}, sent and dropped ${accounted}`);
}

// ---- What it has

/** Counters of numbers that are given out, wherever in control they are. */
function numbersOf(root: object): Map<string, Numbers> {
  const found = new Map<string, Numbers>();
  const seen = new Set<object>();
  const walk = (value: object): void => {
    if (seen.has(value) || ArrayBuffer.isView(value)) return;
    seen.add(value);
    if (value instanceof Numbers) found.set((value as unknown as { what: string }).what, value);
    else for (const one of Object.values(value)) if (typeof one === 'object' && one !== null) walk(one as object);
  };
  walk(root);
  return found;
}

function inUse(numbers: Numbers): number {
  const { first, next, free } = numbers as unknown as { first: number; next: number; free: number[] };
  expect(new Set(free).size, 'numbers given back twice').toBe(free.length);
  return next - first - free.length;
}

const counted = new WeakMap<LiveSwitch, Map<string, Numbers>>();

export function checkNumbers(live: LiveSwitch, model: Model): void {
  const numbers = counted.get(live) ?? numbersOf(live.reconciler);
  counted.set(live, numbers);
  const wanted: [word: string, count: number][] = [
    ['ports', live.model.ports.size],
    ['bridges', model.config.bridges.size],
    ['VNIs', [...model.config.ports.keys()].reduce((sum, name) => sum + vnisOf(model.config, name).size, 0)],
    ['VLAN', [...live.model.ports.values()].reduce((sum, { vlans }) => sum + vlans.size, 0)],
    ['remotes', [...live.model.ports.values()].reduce((sum, port) => sum + ('remotes' in port ? port.remotes.size : 0), 0)],
    ['multicast', [...live.model.ports.values()].reduce((sum, port) => sum + ('pins' in port ? port.pins.size : 0), 0)],
  ];
  for (const [word, count] of wanted) {
    const name = [...numbers.keys()].find((what) => what.startsWith(word) || what.includes(` ${word}`));
    const found = numbers.get(name ?? '');
    if (found === undefined) throw new Error(`nothing in control gives out numbers of ${word}`);
    if (inUse(found) !== count) expect.fail(`${inUse(found)} numbers of ${name} are in use, and ${count} are needed`);
  }
}

export function checkDevices(live: LiveSwitch, model: Model): void {
  same('open devices', live.devices.open, model.devices);
  const { workers } = live;
  const senders = live.devices.devices.filter(({ kind, isOpen }) => isOpen && kind === 'sender').length;
  for (const { nic } of live.engines.each)
    expect(nic.attachedCount, 'attached devices').toBe((live.devices.openCount - senders) / workers + senders);
}

// ---- Where it sends

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
      for (let left = count / live.workers; left > 0; left--) this.one(engine, live, model, sent, expected);
      const got = live.turn(engine).map(decode).sort();
      expected.sort();
      if (got.length === expected.length && got.every((text, at) => text === expected[at])) continue;
      const ids = new Set([...difference(got, expected), ...difference(expected, got)].map((text) => text.split(' ')[0]));
      const about = (list: string[]): string[] => list.filter((text) => ids.has(text.split(' ')[0]));
      texts.push(`sent by engine ${engine}:\n      ${about(sent).join('\n      ')}`);
      expect(about(got), texts.join('\n')).toEqual(about(expected));
    }
  }

  private one(engine: number, live: LiveSwitch, model: Model, sent: string[], expected: string[]): void {
    const id = ++this.id;
    const frame = { id, source: this.pick(SOURCES), destination: this.pick(DESTINATIONS), tags: this.pick(TAGS) };
    const what = `${frame.source} > ${frame.destination} [${frame.tags.join(' ')}]`;
    const { receivers, taps } = model;
    if (receivers.length > 0 && this.below(5) < 2) {
      const receiver = this.pick(receivers);
      const from = this.below(12) === 0 ? STRANGER : this.pick(REMOTES);
      const vni = this.below(12) === 0 ? 99 : this.pick(VNIS);
      sent.push(`${id} from ${from} vni ${vni} to ${receiver}: ${what}`);
      expected.push(...model.fromRemote(receiver, from, vni, frame));
      if (!live.injectDatagram(engine, receiver, from, encodeVxlan(vni, encode(frame)))) throw new Error(`no ${receiver}`);
      return;
    }
    if (taps.length === 0) return;
    const tap = this.pick(taps);
    sent.push(`${id} into ${tap}: ${what}`);
    expected.push(...model.fromTap(tap, frame));
    if (!live.inject(engine, tap, encode(frame))) throw new Error(`no TAP ${tap}`);
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

// ---- Changes

/** Has a switch carry out a change. */
export async function carryOut(live: LiveSwitch, change: Change): Promise<number | undefined> {
  const { controls } = live;
  switch (change.kind) {
    case 'link':
      await controls.link(change.request);
      return undefined;
    case 'vlan':
      await controls.vlan(change.request);
      return undefined;
    case 'fdb':
      return (await controls.fdb(change.request))?.removed;
    case 'apply':
      await controls.apply({ config: change.document });
      return undefined;
  }
}

/** What became of a change; a refusal as its message. */
async function outcomeOf(live: LiveSwitch, change: Change): Promise<{ removed?: number | undefined; refusal?: string }> {
  try {
    return { removed: await carryOut(live, change) };
  } catch (error) {
    if (!(error instanceof ChangeRefused)) throw error;
    if (error.message.trim() === '') throw new Error('a change is refused without a word');
    return { refusal: error.message };
  }
}

/** One change on both sides. @returns whether it was carried out */
export async function changeBoth(live: LiveSwitch, model: Model, one: Step & { kind: 'change' }): Promise<boolean> {
  const { devices, engines } = live;
  const before = { document: live.document, config: live.model.config, lists: engines.lists.length };
  devices.failIn = one.failIn;
  devices.failed = false;
  const { refusal, removed } = await outcomeOf(live, one.change);
  devices.failIn = 0;
  if (live.broken !== null) throw live.broken;
  const lists = engines.lists.length - before.lists;
  let reason = devices.failed ? 'a device fails' : one.wrong ? 'it is wrong' : undefined;
  let expected: number | undefined;
  try {
    if (reason === undefined) expected = model.change(one.change);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    reason = error.message;
  }
  if ((refusal === undefined) !== (reason === undefined))
    expect.fail(
      refusal === undefined ? `is done, and should be refused: ${reason}` : `should be done, and is refused: ${refusal}`,
    );
  if (refusal !== undefined) {
    if (live.document !== before.document) expect.fail('a refused change has changed the document');
    if (live.model.config !== before.config) expect.fail('a refused change has changed the configuration');
    if (lists > 0) expect.fail('a refused change has reached the engines');
  }
  if (lists > 1) expect.fail(`the change reached the engines in ${lists} lists`);
  if (removed !== expected) expect.fail(`removed ${removed} entries, and ${expected} match`);
  return refusal === undefined;
}

export interface Tally {
  changes: number;
  refused: number;
}

/** Takes switch and model through a sequence. */
export async function runSequence({ document, workers, steps, seed }: Sequence, tally?: Tally): Promise<void> {
  const pair = await startBoth(document, workers);
  if (pair === null) return;
  const { live, model } = pair;
  const prober = new Prober(seed);
  const check = (): void => {
    checkAnswers(live, model);
    checkDevices(live, model);
    checkNumbers(live, model);
    prober.probe(live, model);
    checkAnswers(live, model);
  };
  let at = 'at the start';
  try {
    check();
    for (const [number, one] of steps.entries()) {
      at = `at change ${number + 1}`;
      if (one.kind === 'wait') {
        live.wait(one.seconds);
        model.wait(one.seconds);
      } else {
        const done = await changeBoth(live, model, one);
        if (tally !== undefined) {
          tally.changes++;
          if (!done) tally.refused++;
        }
      }
      check();
    }
    at = 'when everything is taken away';
    await changeBoth(live, model, { kind: 'change', change: { kind: 'apply', document: EMPTY }, failIn: 0, wrong: false });
    check();
    checkNothingLeft(live);
  } catch (error) {
    if (error instanceof Error) error.message = `${at}: ${error.message}`;
    throw error;
  } finally {
    live.stop();
  }
}

/** A switch and its model with one document; null: both refuse it. */
export async function startBoth(
  document: Raw,
  workers: number,
): Promise<{ live: LiveSwitch; model: Model } | null> {
  let model: Model | null = null;
  let live: LiveSwitch | null = null;
  try {
    model = new Model(document);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
  try {
    live = await LiveSwitch.start(document, { workers });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (model !== null) expect.fail(`at the start: should be taken, and is refused: ${error.message}`);
  }
  if (live === null || model === null) {
    if (live !== null) expect.fail('at the start: the document should be refused');
    return null;
  }
  return { live, model };
}

/** Of a switch without links: nothing that a number's next bearer could meet. */
export function checkNothingLeft(live: LiveSwitch): void {
  const { engines, model } = live;
  expect(live.devices.open, 'open devices').toEqual([]);
  expect(model.entries.size, 'entries of control').toBe(0);
  expect(engines.fdb.counters().entries, 'entries of the FDB').toBe(0);
  for (let remote = 1; remote < 64; remote++) {
    expect(engines.remotes.udpPort(remote), `remote ${remote}`).toBe(0);
    expect(engines.remotes.udpPort(32_768 + remote - 1), 'a remote that was met').toBe(0);
  }
  for (const { context } of engines.each) {
    const { forwarding } = context;
    expect(forwarding.portKind.some((kind) => kind !== 0), 'ports of the engine').toBe(false);
    expect(forwarding.bridgePorts.some((ports) => ports.length > 0), 'ports in bridges of the engine').toBe(false);
    expect(forwarding.pinned.some((list) => list.length > 0), 'lists of multicast MACs').toBe(false);
    expect(forwarding.vniUsers.some((users) => users !== 0), 'VNIs of the engine').toBe(false);
  }
}
