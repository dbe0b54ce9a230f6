/** The state machine of a session, step by step: each error with its code, times, negotiation, restarts. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { NeighborConfig } from '../../src/evpn/contract.js';
import { accepted, dialed, lost, received, reset, start, stop, tick } from '../../src/evpn/session/machine.js';
import type { OpenMessage, Received, Sent } from '../../src/evpn/session/messages.js';
import { ownOpen } from '../../src/evpn/session/open.js';
import { createSession } from '../../src/evpn/session/record.js';
import { askRefresh } from '../../src/evpn/session/refresh.js';
import { notification } from '../../src/wire/bgp/notification.js';
import { End, NEIGHBOR, Net, Side, type Update } from './two-sessions.js';

type Message = Received<Update>;

let net: Net;
let side: Side;
let wire: End;

function begin(neighbor: Partial<NeighborConfig> = {}, asn = 65001): void {
  net = new Net(() => 0);
  side = net.add(new Side(net, 'us', '10.0.0.1', neighbor));
  side.session.own.asn = asn;
  net.add(new Side(net, 'them', '10.0.0.2'));
  start(side.session, side.world);
  wire = side.ends[0] as End;
}

beforeEach(() => begin());

function open(
  change: (open: OpenMessage) => void = () => undefined,
  neighbor: Partial<NeighborConfig> = {},
): OpenMessage {
  const own = { asn: 65001, routerId: '10.0.0.2' };
  const message = ownOpen(createSession({ ...NEIGHBOR, ...neighbor }, own, -1e9), 0);
  change(message);
  return message;
}

const hear = (message: Message, on: End = wire): void => received(side.session, on, message, side.world);
const connect = (): void => dialed(side.session, wire, side.world);
function establish(opened = open()): void {
  connect();
  hear({ type: 'open', open: opened });
  hear({ type: 'keepalive' });
  expect(side.session.state).toBe('established');
}
function wait(seconds: number, step = 0.1): void {
  for (let passed = 0; passed < seconds; passed += step) {
    net.now += step * 1000;
    tick(side.session, side.world);
  }
}
const types = (from: End = wire): string[] => from.sent.map(({ type }) => type);
function ceased(from: End = wire): string {
  const last = from.sent.at(-1) as Sent;
  return last.type === 'notification' ? `${last.notification.code}/${last.notification.subcode}` : last.type;
}

describe('what ends a session, and its NOTIFICATION', () => {
  const KEEPALIVE: Message = { type: 'keepalive' };
  const UPDATE: Message = { type: 'update', update: 'x', isEndOfRib: false };
  const REFRESH: Message = { type: 'refresh', kind: 0 };

  test.each([
    ['another AS', (o: OpenMessage) => Object.assign(o, { asn: 65002 }), '2/2'],
    ['router ID 0.0.0.0', (o: OpenMessage) => Object.assign(o, { routerId: '0.0.0.0' }), '2/3'],
    ['our router ID', (o: OpenMessage) => Object.assign(o, { routerId: '10.0.0.1' }), '2/3'],
    ['a hold time of 2 s', (o: OpenMessage) => Object.assign(o, { holdTime: 2 }), '2/6'],
    ['no EVPN', (o: OpenMessage) => Object.assign(o.capabilities, { families: [{ afi: 1, safi: 1 }] }), '2/7'],
    ['AS numbers of two bytes', (o: OpenMessage) => Object.assign(o.capabilities, { fourOctetAs: undefined }), '2/7'],
  ])('an OPEN with %s', (_, change, code) => {
    connect();
    hear({ type: 'open', open: open(change) });
    expect(ceased()).toBe(code);
    expect(side.session.state).toBe('idle');
    expect(wire.isOver).toBe(true);
    expect(side.session.lastEnd).toMatch(/^refused: its? /);
  });

  test('the refusal of an OPEN names the capability that is missing (RFC 5492)', () => {
    connect();
    hear({ type: 'open', open: open((o) => Object.assign(o.capabilities, { families: [] })) });
    const last = wire.sent.at(-1) as Extract<Sent, { type: 'notification' }>;
    expect([...last.notification.data]).toEqual([1, 4, 0, 25, 0, 70]);
  });

  test.each([
    ['a KEEPALIVE', KEEPALIVE],
    ['an UPDATE', UPDATE],
    ['a ROUTE-REFRESH', REFRESH],
  ])('%s in OpenSent', (_, message) => {
    connect();
    hear(message);
    expect(ceased()).toBe('5/1');
    expect(side.session.state).toBe('idle');
  });

  test.each([
    ['an OPEN', { type: 'open', open: open() } as Message],
    ['an UPDATE', UPDATE],
    ['a ROUTE-REFRESH', REFRESH],
  ])('%s in OpenConfirm', (_, message) => {
    connect();
    hear({ type: 'open', open: open() });
    hear(message);
    expect(ceased()).toBe('5/2');
    expect(side.session.state).toBe('idle');
  });

  test('an OPEN in Established', () => {
    establish();
    hear({ type: 'open', open: open() });
    expect(ceased()).toBe('5/3');
    expect(side.isUp).toBe(false);
  });

  test('a message that cannot be read is answered with its own code, in each state', () => {
    for (const steps of [0, 1, 2]) {
      begin();
      connect();
      if (steps > 0) hear({ type: 'open', open: open() });
      if (steps > 1) hear(KEEPALIVE);
      hear({ type: 'fault', notification: notification(1, 3, Uint8Array.of(9)) });
      expect(ceased()).toBe('1/3');
      expect(side.session.state).toBe('idle');
    }
  });

  test('a NOTIFICATION is not answered', () => {
    establish();
    hear({ type: 'notification', notification: notification(6, 2) });
    expect(types()).toEqual(['open', 'keepalive']);
    expect(side.session.lastEnd).toBe('it sent: cease: administrative shutdown');
  });

  test('the hold time ends a silent session, not one that is heard', () => {
    establish();
    for (let i = 0; i < 5; i++) {
      wait(8);
      hear({ type: 'keepalive' });
    }
    expect(side.session.state).toBe('established');
    wait(9.2);
    expect(ceased()).toBe('4/0');
    expect(side.session.lastEnd).toBe('nothing was heard for 9 s (hold time)');
  });

  test('an OPEN that does not come within four minutes', () => {
    connect();
    wait(239, 1);
    expect(side.session.state).toBe('opensent');
    wait(2, 1);
    expect(ceased()).toBe('4/0');
  });

  test('our own ends: a cease with its reason, or none at all when we restart', () => {
    establish(open((o) => Object.assign(o.capabilities.gracefulRestart as object, { keepsOnNotification: false })));
    stop(side.session, side.world, 2, 'shut down');
    expect(ceased()).toBe('6/2');
    begin();
    establish();
    stop(side.session, side.world, 2, 'shut down');
    // Both keep routes across NOTIFICATIONs, so this one says that it means it (RFC 8538).
    expect(ceased()).toBe('6/9');
    begin();
    establish();
    stop(side.session, side.world, null, 'restarts');
    expect(types()).toEqual(['open', 'keepalive']);
    expect(wire.isOver).toBe(true);
    wait(300, 1);
    expect(side.session.state).toBe('idle');
  });
});

describe('times', () => {
  test('the smaller hold time holds, keepalives go three times within it', () => {
    establish(open((o) => Object.assign(o, { holdTime: 6 })));
    expect(side.session.links[0]?.terms?.holdTime).toBe(6);
    const before = wire.sent.length;
    wait(5.9);
    expect(wire.sent.length - before).toBeGreaterThanOrEqual(2);
    expect(wire.sent.length - before).toBeLessThanOrEqual(4);
  });

  test('a hold time of 0: no keepalives, no end', () => {
    establish(open((o) => Object.assign(o, { holdTime: 0 })));
    wait(4000, 10);
    expect(side.session.state).toBe('established');
    expect(types()).toEqual(['open', 'keepalive']);
  });

  test.each([
    [9, 480],
    [300, 600],
  ])('with a hold time of %d s a neighbour that sends and never reads is given up after %d s', (holdTime, seconds) => {
    begin({ hold_time: holdTime });
    establish(open((o) => Object.assign(o, { holdTime })));
    const alive = (seconds: number): void => {
      for (let passed = 0; passed < seconds; passed++) {
        hear({ type: 'keepalive' });
        wait(1, 1);
      }
    };
    wire.stalledAt = 1000;
    alive(seconds - 5);
    // It takes a part, however small.
    wire.stalledAt = 1001;
    alive(seconds - 5);
    expect(side.session.state).toBe('established');
    // All of it, for a moment.
    wire.stalledAt = null;
    alive(1);
    wire.stalledAt = 1001;
    alive(seconds - 5);
    expect(side.session.state).toBe('established');
    alive(10);
    expect(ceased()).toBe('8/0');
    expect(wire.isOver).toBe(true);
    expect(side.session.lastEnd).toBe(`it has taken nothing of what was sent for ${seconds} s (send hold time)`);
    expect(side.isUp).toBe(false);
  });

  test('an attempt to connect is given up after the retry time, and begins anew', () => {
    wait(4);
    expect(side.ends).toHaveLength(2);
    expect(wire.isOver).toBe(true);
    expect(side.session.state).toBe('connect');
  });

  test('a refused connection is tried again after the retry time, without back-off', () => {
    lost(side.session, wire, 'connection refused', side.world);
    expect(side.session.state).toBe('active');
    wait(3.6);
    expect(side.ends).toHaveLength(1);
    wait(0.3);
    expect(side.ends).toHaveLength(2);
  });

  test('the back-off doubles with each end, to two minutes, and a steady session forgives', () => {
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      wire = side.ends.at(-1) as End;
      establish();
      hear({ type: 'notification', notification: notification(6, 4) });
      const from = net.now;
      while (side.session.state === 'idle') wait(0.1);
      pauses.push(Math.round((net.now - from) / 750));
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 120, 120]);
    wire = side.ends.at(-1) as End;
    establish();
    for (let i = 0; i < 13; i++) {
      wait(5);
      hear({ type: 'keepalive' });
    }
    hear({ type: 'notification', notification: notification(6, 4) });
    expect(side.session.idleUntil - net.now).toBe(750);
  });

  test('a passive session never dials', () => {
    begin({ passive: true });
    wait(1000, 1);
    expect(side.ends).toHaveLength(0);
    expect(side.session.state).toBe('active');
  });

  test('a neighbour that connects during the back-off waits for its end', () => {
    establish();
    hear({ type: 'notification', notification: notification(6, 4) });
    const far = new End(side);
    expect(accepted(side.session, far, side.world)).toBe(true);
    expect(far.sent).toEqual([]);
    wait(1);
    expect(types(far)).toEqual(['open']);
    expect(side.session.state).toBe('opensent');
    expect(side.ends).toHaveLength(1);
  });

  test('a stopped session takes nobody', () => {
    stop(side.session, side.world, 3, 'removed');
    expect(accepted(side.session, new End(side), side.world)).toBe(false);
  });
});

describe('two connections (RFC 4271 section 6.8)', () => {
  test.each([
    ['higher', '10.0.0.0', true],
    ['lower', '10.0.0.2', false],
  ])('with the %s router ID our own connection stays or goes', (_, routerId, staysOurs) => {
    connect();
    const far = new End(side);
    accepted(side.session, far, side.world);
    hear({ type: 'open', open: open((o) => Object.assign(o, { routerId })) });
    const [stays, goes] = staysOurs ? [wire, far] : [far, wire];
    expect(ceased(goes)).toBe('6/7');
    expect(goes.isOver).toBe(true);
    if (!staysOurs) hear({ type: 'open', open: open((o) => Object.assign(o, { routerId })) }, stays);
    hear({ type: 'keepalive' }, stays);
    expect(side.session.state).toBe('established');
    expect(side.session.links).toHaveLength(1);
  });

  test('an established session stays, and the new connection never gets our OPEN', () => {
    establish(open((o) => Object.assign(o.capabilities, { gracefulRestart: undefined })));
    const far = new End(side);
    accepted(side.session, far, side.world);
    hear({ type: 'open', open: open() }, far);
    expect(far.isOver).toBe(true);
    expect(far.sent).toEqual([]);
    expect(side.session.state).toBe('established');
  });

  test('a neighbour that restarts gracefully replaces its session, and its routes stay (RFC 4724)', () => {
    establish();
    for (let i = 0; i < 3; i++) {
      wait(5);
      hear({ type: 'keepalive' });
    }
    const far = new End(side);
    accepted(side.session, far, side.world);
    hear({ type: 'open', open: open() }, far);
    expect(wire.isOver).toBe(true);
    expect(side.stale).toBe(true);
    hear({ type: 'keepalive' }, far);
    expect(side.session.state).toBe('established');
    hear({ type: 'update', update: 'eor', isEndOfRib: true }, far);
    expect(side.log.at(-1)).toBe('swept');
  });
});

describe('graceful restart', () => {
  function come(opened = open()): End {
    const far = new End(side);
    while (side.session.state === 'idle') wait(0.1);
    accepted(side.session, far, side.world);
    hear({ type: 'open', open: opened }, far);
    hear({ type: 'keepalive' }, far);
    expect(side.session.state).toBe('established');
    return far;
  }
  const withRestart = (change: object) => open((o) => Object.assign(o.capabilities.gracefulRestart as object, change));

  test('our first OPEN says that we have restarted, a later one does not', () => {
    connect();
    const [first] = wire.sent as Extract<Sent, { type: 'open' }>[];
    expect(first?.open.capabilities.gracefulRestart?.isRestarting).toBe(true);
    hear({ type: 'open', open: open() });
    hear({ type: 'keepalive' });
    lost(side.session, wire, 'lost', side.world);
    const far = come();
    expect((far.sent[0] as Extract<Sent, { type: 'open' }>).open.capabilities.gracefulRestart?.isRestarting).toBe(
      false,
    );
  });

  test('lost without NOTIFICATION: stale for the restart time that the neighbour told, then gone', () => {
    establish(withRestart({ seconds: 12 }));
    lost(side.session, wire, 'lost', side.world);
    expect(side.stale).toBe(true);
    wait(11.8);
    expect(side.log).not.toContain('expired: gone');
    wait(0.4);
    expect(side.log).toContain('expired: gone');
  });

  test('back in time, with its forwarding state: End-of-RIB sweeps; without End-of-RIB six minutes do', () => {
    for (const tellsEnd of [true, false]) {
      begin();
      establish();
      lost(side.session, wire, 'lost', side.world);
      const far = come(open((o) => Object.assign(o, { holdTime: 0 })));
      expect(side.log).not.toContain('swept');
      if (tellsEnd) hear({ type: 'update', update: 'eor', isEndOfRib: true }, far);
      else {
        wait(359, 1);
        expect(side.stale).toBe(true);
        wait(2, 1);
      }
      expect(side.log).toContain('swept');
      expect(side.stale).toBe(false);
    }
  });

  test('back without its forwarding state, or without graceful restart: gone at once', () => {
    const bare = open((o) => Object.assign(o.capabilities, { gracefulRestart: undefined }));
    const lostState = withRestart({ families: [{ afi: 25, safi: 70, isForwarding: false }] });
    for (const opened of [bare, lostState]) {
      begin();
      establish();
      lost(side.session, wire, 'lost', side.world);
      come(opened);
      expect(side.log).toContain('expired: gone');
    }
  });

  test('NOTIFICATION and hold time keep routes only if both sides say so, a hard reset never (RFC 8538)', () => {
    const ends: [Message | null, boolean, boolean][] = [
      [{ type: 'notification', notification: notification(6, 4) }, true, true],
      [{ type: 'notification', notification: notification(6, 4) }, false, false],
      [{ type: 'notification', notification: notification(6, 9, Uint8Array.of(6, 2)) }, true, false],
      [null, true, true],
      [null, false, false],
    ];
    for (const [message, keepsOnNotification, stays] of ends) {
      begin();
      establish(withRestart({ keepsOnNotification }));
      if (message === null) wait(9.5);
      else hear(message);
      expect(side.isUp).toBe(false);
      expect(side.stale).toBe(stays);
    }
  });

  test('long-lived: after the restart time routes stay as the last choice, for the shorter of both times (RFC 9494)', () => {
    begin({ long_lived_stale: 100, graceful_restart: 5 });
    establish(open(undefined, { long_lived_stale: 50, graceful_restart: 5 }));
    lost(side.session, wire, 'lost', side.world);
    wait(5.2);
    expect(side.log).toContain('expired: long-lived');
    wait(49.5);
    expect(side.log).not.toContain('expired: gone');
    wait(1);
    expect(side.log).toContain('expired: gone');
  });

  test('without graceful restart of our own, nothing is offered and nothing kept', () => {
    begin({ graceful_restart: 0, long_lived_stale: 100 });
    establish();
    const [first] = wire.sent as Extract<Sent, { type: 'open' }>[];
    expect(first?.open.capabilities.gracefulRestart).toBeUndefined();
    expect(first?.open.capabilities.longLived).toBeUndefined();
    lost(side.session, wire, 'lost', side.world);
    expect(side.stale).toBe(false);
  });

  test('a reset by our own hand begins anew without back-off', () => {
    establish();
    reset(side.session, side.world, 4, 'reset');
    expect(ceased()).toBe('6/9');
    expect(side.session.state).toBe('connect');
    expect(side.ends).toHaveLength(2);
  });
});

describe('route refresh', () => {
  test('ours is asked for where the neighbour can', () => {
    expect(askRefresh(side.session)).toBe(false);
    establish();
    expect(askRefresh(side.session)).toBe(true);
    expect(wire.sent.at(-1)).toEqual({ type: 'refresh', kind: 0 });
    begin();
    establish(open((o) => Object.assign(o.capabilities, { routeRefresh: false })));
    expect(askRefresh(side.session)).toBe(false);
  });

  test('a hundred requests of a neighbour are two answers in a second', () => {
    establish();
    for (let i = 0; i < 100; i++) {
      hear({ type: 'refresh', kind: 0 });
      wait(0.01, 0.01);
    }
    wait(1);
    expect(side.log.filter((line) => line === 'again')).toHaveLength(2);
  });

  test('between begin and end of an answer, what is not repeated goes (RFC 7313)', () => {
    establish();
    hear({ type: 'refresh', kind: 1 });
    expect(side.stale).toBe(true);
    hear({ type: 'refresh', kind: 2 });
    expect(side.log.at(-1)).toBe('swept');
    hear({ type: 'refresh', kind: 2 });
    hear({ type: 'update', update: 'eor', isEndOfRib: true });
    expect(side.log.filter((line) => line === 'swept')).toHaveLength(1);
  });
});
