/** Spanning trees of whole switches in memory, with a warped clock: rings, guards, flushes, tunnels, changes of the configuration. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SavedTree } from '../../../src/control/spanning-tree/saved.js';
import { viewLinks } from '../../../src/control/views/views.js';
import { fromHex } from '../../../src/wire/bytes.js';
import { encodeBpdu } from '../../../src/wire/bpdu.js';
import { A, B, BROADCAST, frame } from '../../dataplane/support/frames.js';
import { Network } from '../loops/network.js';

const SECOND = 1000;
const STP = { stp_state: true, loop_guard: false };
const isBpdu = (bytes: Uint8Array): boolean => bytes[0] === 0x01 && bytes[1] === 0x80;
const GUEST_A = frame({ source: A, destination: BROADCAST });
const RST = {
  kind: 'rst',
  topologyChange: false,
  topologyChangeAck: false,
  proposal: true,
  agreement: false,
  learning: false,
  forwarding: false,
  role: 'designated',
  root: '0000020000000666',
  cost: 0,
  bridge: '0000020000000666',
  port: 0x8001,
  times: { messageAge: 0, maxAge: 20_000, helloTime: 2000, forwardDelay: 15_000 },
} as const;
const BETTER_ROOT = encodeBpdu(RST, '020000000666');

let net: Network;

beforeEach(() => {
  net = new Network();
});

afterEach(() => net.stop());

/** `state role` of the port, or its absence. */
function port(at: string): string {
  const [name, link] = at.split(' ');
  const row = viewLinks(net.of(name).sources).find(({ ifname }) => ifname === link);
  return `${row?.state ?? 'no tree'} ${row?.role ?? ''}`.trim();
}

function bridge(name: string, details = false): Record<string, unknown> {
  return viewLinks(net.of(name).sources, details).find(({ ifname }) => ifname === 'br0') ?? {};
}

/** Copies of a broadcast of the guest of `from` that come to the guest of `to`. */
async function copies(from: string, to: string): Promise<number> {
  net.take(`${to} guest`);
  net.put(`${from} guest`, GUEST_A);
  await net.pass(500);
  return net.take(`${to} guest`, (bytes) => !isBpdu(bytes)).length;
}

async function triangle(options: object = {}): Promise<void> {
  for (const [at, name] of ['a', 'b', 'c'].entries())
    await net.add(name, { guest: {}, l: {}, r: {} }, { ...STP, priority: 4096 * (at + 1), ...options });
  net.join('a r', 'b l');
  net.join('b r', 'c l');
  net.join('c r', 'a l');
}

describe('a triangle of RSTP', () => {
  beforeEach(() => triangle());

  it('is a tree within seconds: the root by priority, one port closed, each broadcast once', async () => {
    await net.pass(5 * SECOND);
    for (const name of ['a', 'b', 'c']) expect(bridge(name).root_id).toBe(bridge('a').bridge_id);
    expect([port('b r'), port('c l')].sort()).toEqual(['blocking alternate', 'forwarding designated']);
    expect([bridge('a').root_port, bridge('b').root_port, bridge('c').root_port]).toEqual(['none', 'l', 'r']);
    expect([await copies('a', 'b'), await copies('b', 'c'), await copies('c', 'a')]).toEqual([1, 1, 1]);
  });

  it('a cut cable: the closed port opens at once, and what was learned is forgotten', async () => {
    await net.pass(5 * SECOND);
    await copies('a', 'c');
    net.cut('c r', 'a l');
    await net.of('a').controls.link({ op: 'set', name: 'l', options: { up: false } });
    await net.of('c').controls.link({ op: 'set', name: 'r', options: { up: false } });
    await net.pass(2 * SECOND);
    expect([port('b r'), port('c l')]).toEqual(['forwarding designated', 'forwarding root']);
    expect(await copies('a', 'c')).toBe(1);
    net.put('c guest', frame({ source: B, destination: A }));
    await net.pass(500);
    expect(net.take('a guest', (bytes) => !isBpdu(bytes))).toHaveLength(1);
  });

  it('a cable that is silent: six seconds without a BPDU', async () => {
    await net.pass(5 * SECOND);
    net.cut('c r', 'a l');
    await net.pass(5 * SECOND);
    expect(port('c r')).toBe('forwarding root');
    await net.pass(4 * SECOND);
    expect([port('c l'), await copies('a', 'c')]).toEqual(['forwarding root', 1]);
  });

  it('another priority makes another root; stp_state off opens all ports of a bridge', async () => {
    await net.pass(5 * SECOND);
    await net.of('c').controls.link({ op: 'set', name: 'br0', options: { priority: 0 } });
    await net.pass(5 * SECOND);
    expect(bridge('a').root_id).toBe(bridge('c').bridge_id);
    expect(await copies('a', 'b')).toBe(1);
    await net.of('b').controls.link({ op: 'set', name: 'br0', options: { stp_state: false } });
    await net.pass(SECOND);
    expect([port('b l'), bridge('b').root_id]).toEqual(['no tree', undefined]);
  });

  it('a port with stp off sends no BPDU, hears none, and is open', async () => {
    await net.of('a').controls.link({ op: 'set', name: 'guest', options: { stp: false } });
    await net.pass(SECOND);
    net.take('a guest');
    net.put('a guest', BETTER_ROOT);
    await net.pass(5 * SECOND);
    expect(net.take('a guest', isBpdu)).toEqual([]);
    expect([port('a guest'), bridge('a').root_id]).toEqual(['no tree', bridge('a').bridge_id]);
    expect(await copies('b', 'a')).toBe(1);
  });
});

it('bridges of STP take twice the forward delay, and say so in BPDUs of STP; those of RSTP follow', async () => {
  await net.add(
    'a',
    { guest: {}, l: {}, r: {} },
    { ...STP, stp_version: 'stp', priority: 0, forward_delay: 400, max_age: 600 },
  );
  await net.add('b', { guest: {}, l: {}, r: {} }, STP);
  net.join('a l', 'b l');
  net.join('a r', 'b r');
  await net.pass(4 * SECOND);
  expect([port('b l'), await copies('a', 'b')]).toEqual(['forwarding root', 0]);
  await net.pass(12 * SECOND);
  expect([port('b l'), port('b r')]).toEqual(['forwarding root', 'blocking alternate']);
  expect(await copies('a', 'b')).toBe(1);
  const sent = net.take('a guest', isBpdu);
  expect(new Set(sent.map((bytes) => bytes[20]))).toEqual(new Set([0]));
  const details = viewLinks(net.of('b').sources, true).find(({ ifname }) => ifname === 'l');
  expect(details).toMatchObject({ protocol: 'stp', designated_bridge: bridge('a').bridge_id, port_id: '0x8002' });
});

describe('guests that send BPDUs', () => {
  it('edge on: forwards at once, and is a port as others once a BPDU comes', async () => {
    await net.add('a', { guest: { edge: 'on' }, other: {} }, STP);
    await net.pass(200);
    expect(port('a guest')).toBe('forwarding designated');
    net.put('a guest', encodeBpdu({ ...RST, root: 'f000020000000666', bridge: 'f000020000000666' }, '020000000666'));
    await net.pass(SECOND);
    const row = viewLinks(net.of('a').sources, true).find(({ ifname }) => ifname === 'guest');
    expect(row).toMatchObject({ oper_edge: false, rx_bpdu: 1 });
  });

  it('edge auto: forwards after three seconds', async () => {
    await net.add('a', { guest: {} }, STP);
    await net.pass(2800);
    expect(port('a guest')).toBe('listening designated');
    await net.pass(SECOND);
    expect(port('a guest')).toBe('forwarding designated');
  });

  it('bpdu_guard closes the port until it is set down and up', async () => {
    const sw = await net.add('a', { guest: { bpdu_guard: true, edge: 'on' }, other: { edge: 'on' } }, STP);
    const events: unknown[] = [];
    sw.controls.subscribe((event) => void (event.event === 'stp' && events.push(event)));
    net.put('a guest', BETTER_ROOT);
    await net.pass(SECOND);
    const row = viewLinks(sw.sources).find(({ ifname }) => ifname === 'guest');
    expect(row).toMatchObject({ state: 'disabled', role: 'disabled', closed_by: 'bpdu_guard' });
    expect(bridge('a').root_id).toBe(bridge('a').bridge_id);
    expect(events).toContainEqual(expect.objectContaining({ ifname: 'guest', change: 'bpdu_guard' }));
    net.put('a guest', GUEST_A);
    await net.pass(SECOND);
    expect(net.take('a other', (bytes) => !isBpdu(bytes))).toEqual([]);
    for (const up of [false, true]) await sw.controls.link({ op: 'set', name: 'guest', options: { up } });
    await net.pass(SECOND);
    expect(port('a guest')).toBe('forwarding designated');
  });

  it('root_block: a better root closes the port, and it opens when that is silent', async () => {
    await net.add('a', { guest: { root_block: true }, other: {} }, STP);
    await net.pass(5 * SECOND);
    for (let second = 0; second < 4; second++) {
      net.put('a guest', BETTER_ROOT);
      await net.pass(SECOND);
    }
    expect([port('a guest'), bridge('a').root_port]).toEqual(['blocking alternate', 'none']);
    await net.pass(15 * SECOND);
    expect(port('a guest')).toBe('forwarding designated');
  });

  it('a flood of BPDUs costs a bounded number of looks', async () => {
    await net.add('a', { guest: {}, other: {} }, STP);
    for (let lap = 0; lap < 50; lap++) {
      for (let at = 0; at < 40; at++)
        net.put('a guest', encodeBpdu({ ...RST, cost: (lap * 40 + at) % 7, topologyChange: true }, '020000000666'));
      await net.pass(20);
    }
    const row = viewLinks(net.of('a').sources, true).find(({ ifname }) => ifname === 'guest');
    expect(Number(row?.rx_bpdu)).toBeLessThanOrEqual(62);
    expect(Number(row?.bpdu_skipped)).toBeGreaterThan(0);
    expect(bridge('a', true)).toMatchObject({ root_port: 'guest' });
  });
});

describe('a tunnel and a cable between two switches', () => {
  const start = async (tunnel: object = {}): Promise<void> => {
    await net.add('a', { guest: {}, c: {}, vx: { remotes: ['192.0.2.2'], ...tunnel } }, { ...STP, forward_delay: 200 });
    await net.add('b', { guest: {}, c: {}, vx: { remotes: ['192.0.2.1'], ...tunnel } }, { ...STP, forward_delay: 200 });
    net.join('a c', 'b c');
  };

  it('the tunnel, which costs more, is closed at one end; without the cable it opens', async () => {
    await start();
    await net.pass(30 * SECOND);
    expect([port('a vx'), port('b vx')].sort()).toEqual(['blocking alternate', 'forwarding designated']);
    expect([await copies('a', 'b'), await copies('b', 'a')]).toEqual([1, 1]);
    net.cut('a c', 'b c');
    await net.pass(15 * SECOND);
    expect([await copies('a', 'b'), await copies('b', 'a')]).toEqual([1, 1]);
  });

  it('with stp off on the tunnel it takes no part', async () => {
    await start({ stp: false });
    await net.pass(5 * SECOND);
    expect([port('a vx'), port('b vx')]).toEqual(['no tree', 'no tree']);
    expect(net.take('a vx')).toEqual([]);
  });
});

it('a port is closed before its first frame, and a deleted one leaves nothing', async () => {
  const sw = await net.add('a', { guest: {}, other: { edge: 'on' } }, STP);
  await net.pass(200);
  net.put('a guest', GUEST_A);
  await net.pass(100);
  expect(net.take('a other', (bytes) => !isBpdu(bytes))).toEqual([]);
  await sw.controls.link({ op: 'del', name: 'guest' });
  await net.pass(SECOND);
  await sw.controls.link({ op: 'add', name: 'next', type: 'tap', master: 'br0', options: { stp: false } });
  net.put('a next', GUEST_A);
  await net.pass(100);
  expect(net.take('a other', (bytes) => !isBpdu(bytes))).toHaveLength(1);
});

it('loop guard and the tree both have to allow a port', async () => {
  const sw = await net.add('a', { guest: {}, other: { edge: 'on' } }, { ...STP, loop_guard: true });
  sw.loops?.restore([{ bridge: 'br0', port: 'other', with: 'guest', vid: 0, since: 0 }]);
  await net.pass(2500);
  expect(port('a other')).toBe('forwarding designated');
  net.put('a other', GUEST_A);
  net.put('a guest', GUEST_A);
  await net.pass(100);
  expect(sw.sources.counters.portDrops(sw.model.ports.get('other')?.index ?? 0).drops).toMatchObject({
    loop_blocked: 1,
  });
  expect(sw.sources.counters.portDrops(sw.model.ports.get('guest')?.index ?? 0).drops).toMatchObject({
    stp_blocked: 1,
  });
});

describe('the next process', () => {
  const saved = (): SavedTree[] => JSON.parse(JSON.stringify(net.of('b').trees?.saved())) as SavedTree[];
  const next = async (state: SavedTree[]): Promise<void> => {
    net.stop();
    const followers = new Network();
    await followers.add('b', { guest: {}, l: {}, r: {} }, { ...STP, priority: 8192 }, { isHeld: true });
    net = followers;
    await net.pass(300);
    expect(net.arrived).toEqual([]);
    net.of('b').trees?.restore(state);
    net.of('b').trees?.begin();
    await net.pass(100);
  };

  it('goes on with the states of its ports, and opens none that was closed', async () => {
    await triangle();
    await net.pass(5 * SECOND);
    const before = ['b l', 'b r', 'b guest'].map(port);
    await next(saved());
    expect(['b l', 'b r', 'b guest'].map(port)).toEqual(before);
  });

  it('begins anew where the state is of another shape', async () => {
    await triangle();
    await net.pass(5 * SECOND);
    const state = saved();
    for (const { ports } of state) for (const one of ports) delete one.kept.fdWhile;
    await next(state);
    expect(port('b l')).toBe('listening designated');
  });
});

it('frames of any other kind to the address of bridges are let go', async () => {
  await net.add('a', { guest: {} }, STP);
  net.put('a guest', fromHex('0180c2000000020000000a010026424203000000000000'));
  await net.pass(SECOND);
  expect(bridge('a')).toMatchObject({ root_port: 'none' });
});
