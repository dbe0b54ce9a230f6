/**
 * The speaker's thread fails and starts again: it gets everything anew, and what it told before stays for two minutes, unless it is told again.
 * A VNI that has another port meanwhile gets its rows there.
 */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EvpnControl, type EvpnParts } from '../../../src/control/evpn/evpn-control.js';
import type { PeerChange } from '../../../src/control/peers/contract.js';
import { Owner, type Piece } from '../../../src/control/peers/owner.js';
import type { RouteOwner } from '../../../src/control/peers/route-contract.js';
import type { RemoteMac, ToSpeaker } from '../../../src/evpn/contract.js';
import type { SpeakerEvents } from '../../../src/evpn/speaker-thread.js';

const NONE = { add: [], remove: [] };
const VNI = 10010;

/** A thread that does what the test says. */
class FakeThread {
  isRunning = false;
  readonly posted: ToSpeaker[] = [];

  constructor(readonly events: SpeakerEvents) {}

  start(): void {
    this.isRunning = true;
    this.events.started(false);
  }

  post(message: ToSpeaker): void {
    this.posted.push(message);
  }

  async stop(): Promise<void> {
    this.isRunning = false;
  }

  /** What the real one does when its thread ends. */
  fail(): void {
    this.isRunning = false;
    this.events.failed(new Error('out of memory'), 1000);
  }

  startAgain(): void {
    this.isRunning = true;
    this.events.started(true);
  }

  took(): number {
    return this.posted.filter((message) => message.do === 'taken').length;
  }
}

const vxlan = (name: string) => ({
  kind: 'vxlan',
  name,
  vnis: [{ vni: VNI, vid: null }],
  pvid: 1,
  bridge: { index: 1, name: 'br0', config: { vlan_filtering: false } },
  config: { type: 'vxlan', evpn: true, local: '192.0.2.1' },
});

function site() {
  const pieces: Piece[] = [];
  const sweeps: string[] = [];
  const faults: string[] = [];
  const renewed: number[] = [];
  const owner = new Owner('evpn', {
    put: async (_, piece) => {
      pieces.push(piece);
      return [];
    },
    sweep: async (_, which) => void sweeps.push(which),
  });
  const ports = new Map([['vx0', vxlan('vx0')]]);
  const evpn = { asn: 65000, router_id: '192.0.2.1', listen: 0, neighbors: [], vnis: [], duplicates: {} };
  const threads: FakeThread[] = [];
  const table = { find: () => null, forEach: () => undefined, slots: 0, counters: () => ({}) };
  const routes: Partial<RouteOwner> = { renew: (seconds) => void renewed.push(seconds) };
  const control = new EvpnControl({
    model: { config: { evpn }, ports, portAt: [] },
    fdb: table,
    neigh: table,
    owner,
    routes: { owner: () => routes, locals: () => [], onLocals: () => () => undefined },
    events: () => ({ read: () => 0 }),
    tell: () => undefined,
    fault: (text: string) => faults.push(text),
    isHeld: false,
    speaker: (events: SpeakerEvents) => {
      threads.push(new FakeThread(events));
      return threads[0];
    },
  } as unknown as EvpnParts);
  control.follow();
  return { control, thread: threads[0] as FakeThread, pieces, sweeps, faults, renewed, ports };
}

const mac = (last: number): RemoteMac => ({
  vni: VNI,
  mac: `02:00:00:00:00:0${last}`,
  remote: '192.0.2.2',
  sticky: false,
  isGateway: false,
  isRouter: false,
});
const told = (...add: RemoteMac[]) => ({
  tell: 'routes' as const,
  macs: { add, remove: [] },
  floods: NONE,
  prefixes: NONE,
});
const ports = (pieces: readonly PeerChange[]): string[] =>
  pieces.flatMap(({ macs }) => [
    ...(macs?.remove ?? []).map((row) => `- ${row.port} ${row.mac}`),
    ...(macs?.add ?? []).map((row) => `+ ${row.port} ${row.mac}`),
  ]);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('keeps rows of a speaker that has failed for two minutes', async () => {
  const { control, thread, pieces, sweeps, faults, renewed } = site();
  expect(thread.posted[0]).toMatchObject({ do: 'configure', config: { vnis: [{ vni: VNI, owner: 'vx0' }] } });
  thread.events.told(told(mac(1), mac(2)));
  await vi.advanceTimersByTimeAsync(0);
  expect(ports(pieces as PeerChange[])).toEqual([`+ vx0 ${mac(1).mac}`, `+ vx0 ${mac(2).mac}`]);
  expect(thread.took()).toBe(1);
  thread.fail();
  expect(faults).toEqual(['the BGP speaker has failed and starts again in 1 s: out of memory']);
  await vi.advanceTimersByTimeAsync(1000);
  thread.posted.length = 0;
  thread.startAgain();
  expect(thread.posted[0]).toMatchObject({ do: 'configure' });
  thread.events.told(told(mac(1)));
  await vi.advanceTimersByTimeAsync(119_000);
  expect(sweeps).toEqual([]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(sweeps).toEqual(['stale']);
  expect(renewed.every((seconds) => seconds === 120)).toBe(true);
  expect(renewed.length).toBeGreaterThan(0);
  await control.stop();
  expect(vi.getTimerCount()).toBe(0);
});

it('flushes them also when the speaker does not come again', async () => {
  const { control, thread, sweeps } = site();
  thread.events.told(told(mac(1)));
  await vi.advanceTimersByTimeAsync(0);
  thread.fail();
  await vi.advanceTimersByTimeAsync(121_000);
  expect(sweeps).toEqual(['stale']);
  await control.stop();
});

it('takes rows along when a VNI gets another vxlan port', async () => {
  const { control, thread, pieces, ports: byName } = site();
  thread.events.told(told(mac(1), mac(2)));
  await vi.advanceTimersByTimeAsync(0);
  pieces.length = 0;
  byName.delete('vx0');
  byName.set('vx1', vxlan('vx1'));
  control.follow();
  // On its way while the rows move.
  thread.events.told(told(mac(3)));
  await vi.advanceTimersByTimeAsync(0);
  expect(ports(pieces as PeerChange[])).toEqual([
    `- vx0 ${mac(1).mac}`,
    `- vx0 ${mac(2).mac}`,
    `+ vx1 ${mac(1).mac}`,
    `+ vx1 ${mac(2).mac}`,
    `+ vx1 ${mac(3).mac}`,
  ]);
  await control.stop();
});
