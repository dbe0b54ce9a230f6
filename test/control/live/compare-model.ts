/**
 * Compares a switch with its model: its listings and its open devices. Every difference throws.
 */
import { expect } from 'vitest';
import { Numbers } from '../../../src/control/model/numbers.js';
import { remotesOf } from '../../../src/control/reconcile/vteps.js';
import { STATIC_REMOTES } from '../../../src/encap/remotes.js';
import { vnisOf } from './live-entries.js';
import type { Model } from './live-model.js';
import type { LiveSwitch } from './live-switch.js';

/** More ports, bridges, VNIs and remotes than a sequence of these tests ever has. */
const NUMBERS = 64;

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
    ranges.flatMap(({ vlan, vlanEnd = vlan, flags, isolated, state = 'forwarding' }) => {
      const words = [...flags, ...(isolated ? ['isolated'] : []), ...(state === 'forwarding' ? [] : [state])];
      return Array.from({ length: vlanEnd - vlan + 1 }, (_, i) => [ifname, vlan + i, ...words].join(' '));
    }),
  );
  const mapped = tunnels.flatMap(({ ifname, tunnels: ranges }) =>
    ranges.flatMap(({ vlan, vlanEnd = vlan, tunid }) =>
      Array.from({ length: vlanEnd - vlan + 1 }, (_, i) => `${ifname} ${vlan + i} = ${tunid + i}`),
    ),
  );
  return [...texts, ...mapped].sort();
}

/** How often a MAC has moved is not held: one that is put in takes over the history of its row, if there is one. */
function rowOf({ moves: _, ...row }: Record<string, unknown>): Record<string, unknown> {
  return row;
}

export function checkAnswers(live: LiveSwitch, model: Model): void {
  same('links', sorted(live.links()), sorted(model.links()));
  same('vlans', vlanTexts(live), model.vlans());
  same('fdb', sorted(live.fdb().map((row) => rowOf({ ...row }))), sorted(model.fdb().map(rowOf)));
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
  mustBe('numbers given back', free.length, new Set(free).size);
  return next - first - free.length;
}

const counted = new WeakMap<LiveSwitch, Map<string, Numbers>>();

export function checkNumbers(live: LiveSwitch, model: Model): void {
  const numbers = counted.get(live) ?? numbersOf(live.reconciler);
  counted.set(live, numbers);
  const wanted: [word: string, count: number][] = [
    ['ports', live.model.ports.size],
    ['bridges', model.config.bridges.size],
    [
      'VNIs',
      [...model.config.ports.keys()].reduce((sum, name) => sum + vnisOf(model.config, name).size, 0) +
        [...live.model.ports.values()].reduce((sum, port) => sum + (port.kind === 'vxlan' ? port.sentVnis.size : 0), 0),
    ],
    ['counted VLAN', [...live.model.ports.values()].reduce((sum, { vlans }) => sum + vlans.size, 0)],
    [
      'remotes',
      [...live.model.ports.values()].reduce(
        (sum, port) => sum + (port.kind === 'vxlan' ? [...remotesOf(port)].length : 0),
        0,
      ),
    ],
    ['multicast', [...live.model.ports.values()].reduce((sum, port) => sum + ('pins' in port ? port.pins.size : 0), 0)],
  ];
  for (const [word, count] of wanted) {
    const name = [...numbers.keys()].find((what) => what.startsWith(word));
    const found = numbers.get(name ?? '');
    if (found === undefined) throw new Error(`nothing in control gives out numbers of ${word}`);
    if (inUse(found) !== count) expect.fail(`${inUse(found)} numbers of ${name} are in use, and ${count} are needed`);
  }
}

export function checkDevices(live: LiveSwitch, model: Model): void {
  same('open devices', live.devices.open, model.devices);
  const { openCount, openSenders } = live.devices;
  const wanted = (openCount - openSenders) / live.workers + openSenders;
  for (const { io } of live.engines.each) mustBe('attached devices', io.attachedCount, wanted);
}

/** As an assertion, which costs much more where it holds. */
function mustBe(what: string, found: number, wanted: number): void {
  if (found !== wanted) expect.fail(`${what}: ${found}, and should be ${wanted}`);
}

/** Of a switch without links: nothing that a number's next bearer could meet. */
export function checkNothingLeft(live: LiveSwitch): void {
  const { engines, model } = live;
  mustBe('open devices', live.devices.openCount, 0);
  mustBe('entries of control', model.entries.size, 0);
  mustBe('entries of the FDB', engines.fdb.counters().entries, 0);
  for (let remote = 1; remote < NUMBERS; remote++) {
    mustBe(`UDP port of remote ${remote}`, engines.remotes.udpPort(remote), 0);
    mustBe('UDP port of a remote that was met', engines.remotes.udpPort(STATIC_REMOTES + remote - 1), 0);
  }
  for (const { context } of engines.each) {
    const { bridgePorts, pinned, portKind, vniUsers } = context.forwarding;
    for (let port = 0; port < NUMBERS; port++) mustBe(`kind of the engine's port ${port}`, portKind[port], 0);
    for (let bridge = 0; bridge < NUMBERS; bridge++) mustBe(`ports of bridge ${bridge}`, bridgePorts[bridge].length, 0);
    for (let vni = 0; vni < NUMBERS; vni++) mustBe(`users of VNI counter ${vni}`, vniUsers[vni], 0);
    mustBe('lists of multicast MACs', pinned.filter((list) => list.length > 0).length, 0);
  }
}
