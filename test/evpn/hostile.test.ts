/**
 * A hostile neighbour: mutated messages, on the way that bytes of a connection take, while two other neighbours have sessions and routes.
 * Whatever comes, nothing is thrown, the others stay up, and what they have told stays. The hostile one has a clock of its own, so that no
 * back-off is waited for.
 */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { NeighborConfig } from '../../src/evpn/contract.js';
import { createGuard } from '../../src/evpn/guard.js';
import { Neighbor } from '../../src/evpn/peering/neighbor.js';
import { createRib } from '../../src/evpn/rib/rib.js';
import { createSession } from '../../src/evpn/session/record.js';
import { ownOpen } from '../../src/evpn/session/open.js';
import { encodeKeepalive, encodeNotification, encodeOpen, encodeRefresh } from '../../src/wire/bgp/message.js';
import { notification } from '../../src/wire/bgp/notification.js';
import { NO_ESI, type PathAttributes } from '../../src/wire/bgp/route.js';
import { encodeEndOfRib, UpdateEncoder } from '../../src/wire/bgp/update-encode.js';
import { formatOf } from '../../src/evpn/peering/bgp-wire.js';
import { long } from '../long.js';
import { mac, neighbor, TestSpeaker, until, vni } from './speakers.js';

const MESSAGES = long(10_000_000, 20_000);
const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_130);
const PORT = 24_000 + (process.pid % 400) * 10;
const HEADER = 19;
const MOST_ROUTES = 1000;
const made: TestSpeaker[] = [];

afterEach(() => {
  for (const one of made.splice(0)) one.stop();
});

/** Numbers below `below`, the same ones for the same seed. */
function chance(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** A connection in memory, as far as `Connection` needs one. */
class FakeSocket extends EventEmitter {
  connecting = true;
  writableLength = 0;
  isOver = false;
  written = 0;
  setNoDelay(): void {}
  pause(): void {}
  resume(): void {}
  write(bytes: Uint8Array): boolean {
    this.written += bytes.length;
    return true;
  }
  end(): void {
    this.isOver = true;
    this.emit('close');
  }
  destroy(): void {
    this.isOver = true;
  }
}

const HOSTILE: NeighborConfig = neighbor({
  address: '127.0.0.66',
  local: '127.0.0.1',
  passive: true,
  max_routes: MOST_ROUTES,
  graceful_restart: 5,
});
const peer = createSession({ ...HOSTILE, passive: false }, { asn: 65001, routerId: '10.0.0.66' }, -1e6);
const OPEN = encodeOpen(ownOpen(peer, 0));
const KEEPALIVE = encodeKeepalive();

/** Valid messages of each kind. */
function seeds(): Uint8Array[] {
  const encoder = new UpdateEncoder(formatOf(true));
  const attributes: PathAttributes = {
    origin: 0,
    asPath: [{ kind: 'sequence', asns: [65009, 65010] }],
    nextHop: '192.0.2.66',
    localPref: 100,
    med: 5,
    communities: [0x00010002],
    originatorId: '10.0.0.7',
    clusterList: ['10.0.0.8'],
    pmsi: { flags: 0, type: 6, label: 100, endpoint: '192.0.2.66' },
    extended: {
      routeTargets: ['65001:100'],
      encapsulation: 8,
      isGateway: false,
      mobility: { sequence: 3, sticky: false },
    },
  };
  const rd = '192.0.2.66:100';
  const route = (address: string, ip?: string) => ({
    ...{ type: 2 as const, rd, esi: NO_ESI, tag: 0, mac: address, label: 100, label2: 5000 },
    ...(ip === undefined ? {} : { ip }),
  });
  const macs = ['aa:bb:cc:dd:ee:01', 'aa:bb:cc:dd:ee:02', 'aa:bb:cc:dd:ee:03'];
  const routes = [
    ...macs.map((one) => route(one)),
    route('aa:bb:cc:dd:ee:04', '10.1.0.4'),
    route('aa:bb:cc:dd:ee:05', '2001:db8::5'),
  ];
  const prefix = { type: 5 as const, rd, esi: NO_ESI, tag: 0, prefix: '10.7.0.0/16', gateway: '0.0.0.0', label: 5000 };
  return [
    ...encoder.announce(routes, attributes),
    ...encoder.announce([{ type: 3, rd, tag: 0, origin: '192.0.2.66' }], attributes),
    ...encoder.announce([prefix], {
      ...attributes,
      extended: { ...attributes.extended, routerMac: 'aa:bb:cc:00:00:01' },
    }),
    ...encoder.withdraw(routes),
    encodeEndOfRib(),
    OPEN,
    KEEPALIVE,
    encodeNotification(notification(6, 4)),
    ...[0, 1, 2].map((subtype) => encodeRefresh({ afi: 25, safi: 70, subtype })),
  ];
}

/** A copy with some bytes changed, bytes left out, or bytes twice. Most have a header that fits, so that what is behind it is read. */
function mutated(message: Uint8Array, random: (below: number) => number): Uint8Array {
  let bytes = Uint8Array.from(message);
  for (let times = random(4); times >= 0; times--) {
    const at = HEADER + random(Math.max(1, bytes.length - HEADER));
    const kind = random(8);
    if (kind < 5 && at < bytes.length) bytes[at] = kind < 3 ? random(256) : (bytes[at] as number) ^ (1 << random(8));
    else if (kind === 5) bytes = bytes.slice(0, at);
    else if (kind === 6)
      bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at - random(at - HEADER + 1))]);
    else
      bytes = Uint8Array.from([
        ...bytes.subarray(0, at),
        ...bytes.subarray(Math.min(bytes.length, at + 1 + random(6))),
      ]);
  }
  if (random(16) === 0) bytes[random(Math.min(HEADER, bytes.length))] = random(256);
  else if (bytes.length >= HEADER && bytes.length < 4096) {
    bytes[16] = bytes.length >>> 8;
    bytes[17] = bytes.length & 255;
  }
  return bytes;
}

test(`${MESSAGES} mutated messages (seed ${SEED}): no fault, the other sessions stay, and so do their routes`, async () => {
  const rib = createRib();
  const remote = (at: number) =>
    neighbor({ address: `127.0.0.${at}`, local: '127.0.0.1', port: PORT + at, hold_time: 30 });
  const us = new TestSpeaker(
    { listen: PORT + 1, neighbors: [remote(2), remote(3), HOSTILE], vnis: [vni(100, '192.0.2.1')] },
    rib,
  );
  made.push(us);
  for (const at of [2, 3]) {
    const back = neighbor({ address: '127.0.0.1', local: `127.0.0.${at}`, port: PORT + 1, hold_time: 30 });
    const other = new TestSpeaker({
      routerId: `10.0.0.${at}`,
      listen: PORT + at,
      neighbors: [back],
      vnis: [vni(100, `192.0.2.${at}`)],
    });
    made.push(other);
    other.announce([mac(at)]);
  }
  await until('bystanders', () => us.state(0) === 'established' && us.state(1) === 'established' && us.macs.size === 2);
  const calm = us.told.length;

  const faults: string[] = [];
  let now = 1e6;
  let socket = new FakeSocket();
  let sessions = 0;
  const hostile = new Neighbor(
    { ...HOSTILE, passive: false },
    { asn: 65001, routerId: '10.0.0.1' },
    {
      now: () => now,
      random: () => 0.5,
      guard: createGuard(
        (text) => faults.push(text),
        () => 0,
      ),
      rib,
      startedAt: 0,
      dial: () => {
        socket = new FakeSocket();
        return socket as unknown as Socket;
      },
      changed: () => undefined,
      touched: () => undefined,
      isTaking: true,
      isComplete: true,
    },
  );
  const isUp = (): boolean => hostile.session.state === 'established';
  const random = chance(SEED);
  const give = (bytes: Uint8Array): void => {
    if (!socket.isOver) socket.emit('data', bytes);
  };
  const establish = (): void => {
    for (let tries = 0; hostile.session.state !== 'connect'; tries++) {
      if (tries > 5) throw new Error(`no way out of ${hostile.session.state}`);
      now += 150_000;
      hostile.tick();
    }
    socket.connecting = false;
    socket.emit('connect');
    // A part of the messages come before the session is established.
    const before = random(8);
    if (before > 0) give(OPEN);
    if (before > 1) give(KEEPALIVE);
    if (isUp()) sessions++;
  };
  const valid = seeds();
  let most = 0;
  hostile.start();
  for (let sent = 0; sent < MESSAGES; sent++) {
    if (socket.isOver || hostile.session.links.length === 0 || hostile.session.state === 'connect') establish();
    const message = mutated(valid[random(valid.length)] as Uint8Array, random);
    // In one piece, or in two.
    const cut = random(4) === 0 ? random(message.length + 1) : message.length;
    give(message.subarray(0, cut));
    if (cut < message.length) give(message.subarray(cut));
    if (sent % 256 === 0) {
      now += 10;
      hostile.tick();
      most = Math.max(most, rib.counts(HOSTILE.address).accepted);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  expect(faults).toEqual([]);
  expect(us.faults()).toEqual([]);
  expect(sessions).toBeGreaterThan(MESSAGES / 100);
  expect(most).toBeGreaterThan(2);
  expect(most).toBeLessThanOrEqual(MOST_ROUTES);
  // The bystanders: no change of state since, and what they have told.
  expect(us.told.slice(calm).filter(({ tell }) => tell === 'neighbor')).toEqual([]);
  expect([us.state(0), us.state(1)]).toEqual(['established', 'established']);
  for (const at of [2, 3]) expect(us.macs.get(`100 ${mac(at).mac} `)?.remote).toBe(`192.0.2.${at}`);
  console.log(`${sessions} sessions, at most ${most} routes at a time`);
});
