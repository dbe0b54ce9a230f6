/** Speakers over real sockets of the loopback: sessions, routes, protection of segments, bounds. */
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { mac, neighbor, TestSpeaker, until, vni } from './speakers.js';

const made: TestSpeaker[] = [];
/** Ports of this process: files run side by side. */
const PORT = 20_000 + (process.pid % 400) * 10;

function speaker(...words: ConstructorParameters<typeof TestSpeaker>): TestSpeaker {
  const one = new TestSpeaker(...words);
  made.push(one);
  return one;
}

afterEach(() => {
  for (const one of made.splice(0)) one.stop();
});

type Change = Parameters<typeof neighbor>[0];

/** Two speakers, 127.0.0.1 and 127.0.0.2; `a` and `b` change what each says of the other one. */
function pair(a: Change = {}, b: Change = {}, own: { asnB?: number } = {}): [TestSpeaker, TestSpeaker] {
  const asn = own.asnB ?? 65001;
  const of = (address: string, local: string, port: number) => ({ address, local, port });
  const one = speaker({
    listen: PORT + 1,
    neighbors: [neighbor({ ...of('127.0.0.2', '127.0.0.1', PORT + 2), asn, ...a })],
    vnis: [vni(100, '192.0.2.1')],
  });
  const other = speaker({
    asn,
    routerId: '10.0.0.2',
    listen: PORT + 2,
    neighbors: [neighbor({ ...of('127.0.0.1', '127.0.0.2', PORT + 1), ...b })],
    vnis: [vni(100, '192.0.2.2')],
  });
  return [one, other];
}

const established = (...all: TestSpeaker[]) =>
  until('established', () => all.every((one) => one.state() === 'established'));

describe('sessions', () => {
  test.each([
    ['iBGP', {}],
    ['eBGP', { asnB: 4_200_000_001 }],
  ])('%s: floods and MACs go both ways, and are gone when the session ends', async (_, own) => {
    const [a, b] = pair({}, {}, own);
    a.announce([mac(1), { ...mac(1), ip: '10.1.0.1' }]);
    b.announce([mac(2)]);
    await established(a, b);
    await until('routes', () => a.macs.size === 1 && b.macs.size === 2 && a.floods.size === 1 && b.floods.size === 1);
    expect([...b.macs.values()].map(({ remote, ip }) => [remote, ip])).toContainEqual(['192.0.2.1', '10.1.0.1']);
    a.withdraw([mac(1), { ...mac(1), ip: '10.1.0.1' }]);
    await until('withdrawn', () => b.macs.size === 0);
    b.stop();
    await until('flushed', () => a.macs.size === 0 && a.floods.size === 0);
    expect(a.neighbors()[0]?.lastEnd).toBe('it sent: cease: administrative shutdown');
    expect(a.faults()).toEqual([]);
  });

  test('over IPv6', async () => {
    const v6 = { address: '::1', local: '::1' };
    const [a, b] = pair(v6, v6);
    b.announce([mac(2)]);
    await established(a, b);
    await until('routes', () => a.macs.size === 1);
  });

  test('one side waits for the other', async () => {
    const [a, b] = pair({ passive: true });
    await established(a, b);
  });

  test('a neighbor that is no longer one is told so; a changed one begins anew', async () => {
    const [a, b] = pair();
    await established(a, b);
    a.configure({ listen: PORT + 1 });
    await until('told', () => b.neighbors()[0]?.lastEnd === 'it sent: cease: peer de-configured');
    a.configure({
      listen: PORT + 1,
      neighbors: [neighbor({ port: PORT + 2 })],
    });
    await established(a, b);
    a.configure({ listen: PORT + 1, neighbors: [neighbor({ port: PORT + 2, hold_time: 30 })] });
    await until('told', () => b.neighbors()[0]?.lastEnd === 'it sent: cease: other configuration change');
    await established(a, b);
  });

  test('what speaks no EVPN is refused, with words', async () => {
    const [a] = pair({ asn: 65009 });
    await until('refused', () => /AS 65001, where AS 65009/.test(a.neighbors()[0]?.lastEnd ?? ''));
  });
});

describe('protection', () => {
  test('the same password on both sides, IPv4 and IPv6', async () => {
    const [a, b] = pair({ password: 'right' }, { password: 'right' });
    await established(a, b);
    a.stop();
    b.stop();
    const v6 = { address: '::1', local: '::1', password: 'right' };
    const [c, d] = pair(v6, v6);
    await established(c, d);
  });

  test('another password, or none: no session, not even a TCP connection', async () => {
    const [a, b] = pair({ password: 'right' }, { password: 'wrong' });
    const c = speaker({
      asn: 65003,
      routerId: '10.0.0.3',
      neighbors: [neighbor({ address: '127.0.0.1', local: '127.0.0.2', port: PORT + 1 })],
    });
    await new Promise((resolve) => setTimeout(resolve, 2500));
    for (const one of [a, b, c]) expect(['connect', 'active']).toContain(one.state());
    expect(a.told.some((one) => one.tell === 'neighbor' && one.state === 'opensent')).toBe(false);
    // The key changes while the sockets are open.
    b.configure({
      routerId: '10.0.0.2',
      listen: PORT + 2,
      neighbors: [neighbor({ address: '127.0.0.1', local: '127.0.0.2', port: PORT + 1, password: 'right' })],
    });
    await established(a, b);
  });

  test('TTL security: both sides send with 255; a neighbor that does not is not heard', async () => {
    const [a, b] = pair({ ttl_security: 1 }, { ttl_security: 1 });
    await established(a, b);
    a.stop();
    b.stop();
    const [c] = pair({ ttl_security: 1, passive: true });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    // It dials by Node alone, with TTL 64: nothing of it is heard.
    expect(c.state()).not.toBe('established');
  });

  test('who is no neighbor is not let in, nor at another address', async () => {
    const a = speaker({
      listen: PORT + 1,
      neighbors: [neighbor({ address: '127.0.0.2', local: '127.0.0.9', port: PORT + 2, passive: true })],
    });
    const tries = ['127.0.0.3', '127.0.0.2'].map(
      (localAddress) =>
        new Promise<number>((resolve) => {
          const socket = connect({ host: '127.0.0.1', port: PORT + 1, localAddress });
          let bytes = 0;
          socket.on('data', (chunk) => (bytes += chunk.length));
          socket.on('error', () => undefined);
          socket.on('close', () => resolve(bytes));
        }),
    );
    expect(await Promise.all(tries)).toEqual([0, 0]);
    expect(a.state()).toBe('active');
  });

  test('a port that is taken is told with the remedy, and taken as soon as it is free', async () => {
    const other = createServer().listen({ host: '0.0.0.0', port: PORT + 1 });
    await new Promise((resolve) => other.once('listening', resolve));
    const a = speaker({ listen: PORT + 1, neighbors: [neighbor({ passive: true })] });
    expect(a.faults()[0]).toMatch(/TCP port \d+ is taken by another program/);
    other.close();
    const opens = (): Promise<boolean> =>
      new Promise((resolve) => {
        const socket: Socket = connect({ host: '127.0.0.1', port: PORT + 1 });
        socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
        socket.unref();
      });
    for (let i = 0; i < 100 && !(await opens()); i++) await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await opens()).toBe(true);
  });
});

describe('bounds', () => {
  test('20,000 MACs to a control thread that takes nothing: two batches, then all', async () => {
    const [a, b] = pair();
    a.takes = false;
    const all = Array.from({ length: 20_000 }, (_, i) => mac(i));
    for (let at = 0; at < all.length; at += 1000) b.announce(all.slice(at, at + 1000));
    await established(a, b);
    await until('two batches', () => a.macs.size > 0);
    // Longer than the hold time: what is not read does not count as silence.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(a.macs.size).toBeLessThanOrEqual(2048);
    a.takes = true;
    a.take();
    await until('all', () => a.macs.size === 20_000);
    expect(a.neighbors()[0]?.received).toBe(20_001);
    expect(b.neighbors()[0]?.sent).toBe(20_001);
  });

  test('a refresh brings everything again', async () => {
    const [a, b] = pair();
    b.announce([mac(1), mac(2)]);
    await established(a, b);
    await until('routes', () => a.macs.size === 2);
    const before = b.neighbors()[0]?.messages.out ?? 0;
    a.speaker.hear({ do: 'refresh' });
    await until('sent again', () => (b.neighbors()[0]?.messages.out ?? 0) >= before + 3);
    expect(a.macs.size).toBe(2);
    expect([a.state(), b.state()]).toEqual(['established', 'established']);
  });

  test('a reset by command ends the session with its reason, and begins it anew', async () => {
    const [a, b] = pair();
    b.announce([mac(1)]);
    await established(a, b);
    a.speaker.hear({ do: 'reset', neighbor: '192.0.2.99' });
    expect(a.state()).toBe('established');
    a.speaker.hear({ do: 'reset', neighbor: '127.0.0.2' });
    await until('ended', () => b.neighbors()[0]?.lastEnd === 'it sent: cease: administrative reset');
    await established(a, b);
    await until('routes', () => a.macs.size === 1);
  });
});
