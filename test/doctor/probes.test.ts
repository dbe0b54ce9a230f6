import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { encodeEcho, readNews, TOKEN_BYTES } from '../../src/doctor/echo.js';
import { filterOf, type IcmpListener, type OpenIcmp, openIcmpSocket, openOwn } from '../../src/doctor/icmp-socket.js';
import { gate, limited } from '../../src/doctor/limited.js';
import { findPathMtu } from '../../src/doctor/path-mtu.js';
import { probePaths } from '../../src/doctor/path-probe.js';
import { type Answer, Pinger, zoned } from '../../src/doctor/pinger.js';
import { examineRemotes, type RemoteCase } from '../../src/doctor/remote-facts.js';
import { probeUdpPort, sourceTowards } from '../../src/doctor/udp-probe.js';
import { concatBytes, fromHex, toHex } from '../../src/wire/bytes.js';

const TOKEN = fromHex('0102030405060708');
const V4 = { family: 4, source: '192.0.2.1', destination: '192.0.2.2' } as const;
const V6 = { family: 6, source: '2001:db8::1', destination: '2001:db8::2' } as const;
const IDS = { identifier: 0x1234, sequence: 7, token: TOKEN };

describe('an echo request', () => {
  it('over IPv4 is a packet of its size with DF', () => {
    const packet = encodeEcho({ ...V4, ...IDS, size: 44 });
    expect(toHex(packet)).toBe(
      `4500002c000040004001${toHex(packet.slice(10, 12))}c0000201c0000202${'0800'}${toHex(packet.slice(22, 24))}12340007${toHex(TOKEN)}${'00'.repeat(8)}`,
    );
    expect(encodeEcho({ ...V4, ...IDS, size: 1500 })).toHaveLength(1500);
  });

  it('over IPv6 is one too', () => {
    const packet = encodeEcho({ ...V6, ...IDS, size: 1280 });
    expect(packet).toHaveLength(1280);
    expect(toHex(packet.slice(0, 8))).toBe('6000000004d83a40');
    expect(packet[40]).toBe(128);
  });
});

describe('what a raw socket gives', () => {
  const header = fromHex('450000000000000040010000c0000202c0000201');
  const request4 = encodeEcho({ ...V4, ...IDS, size: 64 });
  const request6 = encodeEcho({ ...V6, ...IDS, size: 84 });

  it('is read as a reply, with its token', () => {
    const reply = concatBytes(fromHex('0000000012340007'), TOKEN, new Uint8Array(20));
    expect(readNews(4, concatBytes(header, reply))).toEqual({
      kind: 'reply',
      identifier: 0x1234,
      sequence: 7,
      token: TOKEN,
    });
    const reply6 = concatBytes(fromHex('8100000012340007'), TOKEN);
    expect(readNews(6, reply6)).toMatchObject({ kind: 'reply', sequence: 7, token: TOKEN });
  });

  it('is read as "too big" with the MTU, IP options before it or not', () => {
    const error = concatBytes(fromHex('0304000000000578'), request4.slice(0, 28));
    const news = { kind: 'too-big', identifier: 0x1234, sequence: 7, mtu: 1400 };
    expect(readNews(4, concatBytes(header, error))).toEqual(news);
    const options = concatBytes(fromHex('46'), header.slice(1), fromHex('94040000'));
    expect(readNews(4, concatBytes(options, error))).toEqual(news);
    const error6 = concatBytes(fromHex('0200000000000578'), request6.slice(0, 60));
    expect(readNews(6, error6)).toEqual(news);
  });

  it('is read as "unreachable" with the code', () => {
    const error = concatBytes(fromHex('0301000000000000'), request4.slice(0, 28));
    expect(readNews(4, concatBytes(header, error))).toMatchObject({ kind: 'unreachable', code: 1, sequence: 7 });
    const error6 = concatBytes(fromHex('0103000000000000'), request6);
    expect(readNews(6, error6)).toMatchObject({ kind: 'unreachable', code: 3, sequence: 7 });
  });

  it('is nothing to us when it is cut off or about something else', () => {
    const udp = Uint8Array.from(request4.slice(0, 28));
    udp[9] = 17;
    expect(readNews(4, concatBytes(header, fromHex('0304000000000578'), udp))).toBeNull();
    expect(readNews(4, concatBytes(header, request4.slice(20)))).toBeNull();
    const whole = concatBytes(header, fromHex('0304000000000578'), request4.slice(0, 28));
    for (let length = 0; length < whole.length; length++) expect(readNews(4, whole.slice(0, length))).toBeNull();
    const whole6 = concatBytes(fromHex('0200000000000578'), request6.slice(0, 48));
    for (let length = 0; length < whole6.length; length++) expect(readNews(6, whole6.slice(0, length))).toBeNull();
  });

  it('has passed a filter that lets replies and errors through only', () => {
    expect(filterOf(4).readUInt32LE()).toBe(0xffffffff - (1 << 0) - (1 << 3));
    const through = (type: number): boolean => ((filterOf(6).readUInt32LE((type >> 5) * 4) >>> (type & 31)) & 1) === 0;
    expect(Array.from({ length: 256 }, (_, type) => type).filter(through)).toEqual([1, 2, 129]);
  });
});

/** A wire in memory: `respond` says what comes back for a packet, and from where. */
function wire(respond: (packet: Uint8Array, take: IcmpListener) => string | undefined): OpenIcmp {
  return async (_place, listener) => ({
    send(packet, _address, refused) {
      const words = respond(packet, listener);
      if (words !== undefined) refused(words);
    },
    close: () => undefined,
  });
}

describe.each([
  ['the addon', openOwn],
  ['the package where it is installed', openIcmpSocket],
] as const)('raw sockets of %s', (_name, openIcmp) => {
  const own4 = { family: 4, remote: '127.0.0.1', dev: 'lo' } as const;
  const own6 = { family: 6, remote: '::1', source: '::1' } as const;

  it('ping this host over both families, many at a time, and tell what the kernel refuses', async () => {
    const pinger = new Pinger(openIcmp);
    try {
      const answers = await Promise.all([own4, own6, own4, own6].map((path) => pinger.ping(path, 1000, 2000)));
      expect(answers).toEqual(answers.map(() => ({ kind: 'reply', ms: expect.any(Number) })));
      const long = await pinger.ping(own4, 65_535, 500);
      expect(['reply', 'too-long-here', 'silent']).toContain(long.kind);
      // A broadcast address, which such a socket may not send to.
      expect(await pinger.ping({ family: 4, remote: '255.255.255.255', dev: 'lo' }, 100, 200)).toEqual({
        kind: 'refused',
        words: 'Permission denied',
      });
    } finally {
      await pinger.close();
    }
  });

  it('keep out all types but answers and errors', async () => {
    const heard: number[] = [];
    const socket = await openIcmp({ family: 4 }, (packet) => void heard.push(packet[20] ?? -1));
    const packet = encodeEcho({ ...V4, source: '127.0.0.1', destination: '127.0.0.1', ...IDS, size: 100 });
    socket.send(packet, '127.0.0.1', (words) => expect.unreachable(words));
    await vi.waitFor(() => expect(heard).toContain(0));
    expect(heard).not.toContain(8);
    socket.close();
  });
});

/** The answer to a request over IPv4, as a raw socket gives it. */
function echoed(packet: Uint8Array): Uint8Array {
  const answer = Uint8Array.from(packet);
  answer[20] = 0;
  return answer;
}

describe('a pinger', () => {
  const path = { family: 4, remote: '192.0.2.2' } as const;

  it('tells what became of each request', async () => {
    const lengths: number[] = [];
    const pinger = new Pinger(
      wire((packet, take) => {
        lengths.push(packet.length);
        if (packet.length === 100) take(echoed(packet), '192.0.2.2');
        const about = packet.slice(0, 28);
        const ip = fromHex('450000000000000040010000c0000209c0000201');
        if (packet.length === 200) take(concatBytes(ip, fromHex('0304000000000060'), about), '192.0.2.9');
        if (packet.length === 300) take(concatBytes(ip, fromHex('030d000000000000'), about), '192.0.2.9');
        if (packet.length === 400) return 'Message too long';
        return packet.length === 500 ? 'Network is unreachable' : undefined;
      }),
    );
    const answers = await Promise.all([100, 200, 300, 400, 500, 600].map((size) => pinger.ping(path, size, 40)));
    expect(answers).toEqual([
      { kind: 'reply', ms: expect.any(Number) },
      { kind: 'too-big', mtu: 96, from: '192.0.2.9' },
      { kind: 'unreachable', code: 13, from: '192.0.2.9' },
      { kind: 'too-long-here' },
      { kind: 'refused', words: 'Network is unreachable' },
      { kind: 'silent' },
    ]);
    expect(lengths.sort()).toEqual([100, 200, 300, 400, 500, 600]);
    await pinger.close();
  });

  it("takes no other program's reply for its own", async () => {
    const pinger = new Pinger(
      wire((packet, take) => {
        const other = echoed(packet);
        other[28] ^= 0xff;
        take(other, '192.0.2.2');
        return undefined;
      }),
    );
    expect(await pinger.ping(path, 28 + TOKEN_BYTES, 30)).toEqual({ kind: 'silent' });
  });

  it('names the link of a link-local address', () => {
    expect(zoned({ remote: 'fe80::1', dev: 'eth0' })).toBe('fe80::1%eth0');
    expect(zoned({ remote: '2001:db8::1', dev: 'eth0' })).toBe('2001:db8::1');
    expect(zoned({ remote: 'fe80::1' })).toBe('fe80::1');
  });
});

describe('the search for a path MTU', () => {
  const REPLY: Answer = { kind: 'reply', ms: 1 };
  const options = { least: 576, most: 1500, until: Number.POSITIVE_INFINITY, now: () => 0 };

  /** A path that carries `mtu`, and answers what is larger with `larger`; it counts what it was sent. */
  function pathOf(mtu: number, larger: Answer): { probe: (size: number) => Promise<Answer>; sent: number[] } {
    const sent: number[] = [];
    const probe = async (size: number): Promise<Answer> => {
      sent.push(size);
      return size <= mtu ? REPLY : larger;
    };
    return { probe, sent };
  }

  it('is one packet where everything fits', async () => {
    const { probe, sent } = pathOf(1500, { kind: 'silent' });
    expect(await findPathMtu(probe, options)).toEqual({ fits: 1500, exact: true });
    expect(sent).toEqual([1500]);
  });

  it('believes a router that names the MTU, once a packet of it has got through', async () => {
    const { probe, sent } = pathOf(1400, { kind: 'too-big', mtu: 1400, from: '192.0.2.9' });
    expect(await findPathMtu(probe, options)).toEqual({ fits: 1400, exact: true, saidBy: '192.0.2.9' });
    expect(sent).toEqual([1500, 1400]);
  });

  it('does not believe one that names more than it lets through, or nothing', async () => {
    for (const mtu of [1450, 0, 9000, 68]) {
      const { probe } = pathOf(1399, { kind: 'too-big', mtu, from: '192.0.2.9' });
      expect(await findPathMtu(probe, options)).toEqual({ fits: 1399, exact: true });
    }
  });

  it('goes by two routers, one after the other', async () => {
    const probe = async (size: number): Promise<Answer> => {
      if (size > 1450) return { kind: 'too-big', mtu: 1450, from: '192.0.2.9' };
      return size > 1300 ? { kind: 'too-big', mtu: 1300, from: '192.0.2.10' } : REPLY;
    };
    expect(await findPathMtu(probe, options)).toEqual({ fits: 1300, exact: true, saidBy: '192.0.2.10' });
  });

  it('finds every MTU where too big packets vanish, or do not fit the own interface', async () => {
    for (const larger of [{ kind: 'silent' }, { kind: 'too-long-here' }] as const) {
      for (let mtu = 576; mtu <= 1500; mtu += 7) {
        const { probe, sent } = pathOf(mtu, larger);
        expect(await findPathMtu(probe, options)).toEqual({ fits: mtu, exact: true });
        expect(sent.length).toBeLessThan(100);
      }
    }
  });

  it('bears the loss of a packet', async () => {
    const lost = new Set<number>();
    const probe = async (size: number): Promise<Answer> => {
      if (size > 1400) return { kind: 'silent' };
      if (lost.has(size)) return REPLY;
      lost.add(size);
      return { kind: 'silent' };
    };
    expect(await findPathMtu(probe, options)).toEqual({ fits: 1400, exact: true });
  });

  it('says when not even the least gets through', async () => {
    const { probe } = pathOf(300, { kind: 'silent' });
    expect(await findPathMtu(probe, options)).toEqual({ fits: 0, exact: true });
  });

  it('ends with its time, and says that it did not get to the end', async () => {
    let clock = 0;
    const { probe } = pathOf(1400, { kind: 'silent' });
    const now = (): number => clock++;
    const found = await findPathMtu(probe, { ...options, until: 2, now });
    expect(found.exact).toBe(false);
    expect(found.fits).toBeGreaterThan(1300);
    expect(found.fits).toBeLessThanOrEqual(1400);
  });
});

describe('probing of paths', () => {
  const request = (remote: string) => ({ path: { family: 4, remote } as const, most: 1500 });

  it('pings again when the first is lost, and joins reach and MTU', async () => {
    const seen = new Map<string, number>();
    const pinger = {
      ping: async ({ remote }: { remote: string }, size: number): Promise<Answer> => {
        const count = (seen.get(remote) ?? 0) + 1;
        seen.set(remote, count);
        if (remote === '192.0.2.3') return { kind: 'unreachable', code: 1, from: '192.0.2.9' };
        if (remote === '192.0.2.4') throw new Error('No such device');
        return count === 1 || size > 1400 ? { kind: 'silent' } : { kind: 'reply', ms: 1 };
      },
    };
    const facts = await probePaths(
      pinger,
      ['192.0.2.2', '192.0.2.3', '192.0.2.4'].map(request),
      performance.now() + 5000,
    );
    expect(facts).toEqual([
      { echo: { kind: 'reply', ms: 1 }, mtu: { fits: 1400, exact: true } },
      { echo: { kind: 'unreachable', code: 1, from: '192.0.2.9' } },
      { echo: { kind: 'refused', words: 'No such device' } },
    ]);
    expect(seen.get('192.0.2.3')).toBe(3);
  });

  it('does not look for an MTU when the time is over', async () => {
    const pinger = { ping: async (): Promise<Answer> => ({ kind: 'reply', ms: 1 }) };
    expect(await probePaths(pinger, [request('192.0.2.2')], 0)).toEqual([{ echo: { kind: 'reply', ms: 1 } }]);
  });
});

describe('some at a time', () => {
  it('keeps the order and the limit', async () => {
    let inside = 0;
    let most = 0;
    const work = async (item: number): Promise<number> => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 5 - (item % 5)));
      inside--;
      return item * 2;
    };
    const items = Array.from({ length: 20 }, (_, i) => i);
    expect(await limited(items, 3, work)).toEqual(items.map((item) => item * 2));
    expect(most).toBe(3);
    most = 0;
    const enter = gate(4);
    expect(await Promise.all(items.map((item) => enter(() => work(item))))).toEqual(items.map((item) => item * 2));
    expect(most).toBe(4);
  });
});

describe('a UDP port', () => {
  const sockets: ReturnType<typeof createSocket>[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close();
  });

  /** A bound socket on the loopback, and what came to it. */
  async function listener(): Promise<{ port: number; got: string[]; close(): Promise<void> }> {
    const socket = createSocket('udp4');
    const got: string[] = [];
    socket.on('message', (message) => got.push(toHex(message)));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const close = (): Promise<void> => new Promise((resolve) => socket.close(resolve));
    return { port: socket.address().port, got, close };
  }

  it('that is open is quiet, and gets a VXLAN header without the I flag', async () => {
    const { port, got, close } = await listener();
    expect(await probeUdpPort({ family: 4, remote: '127.0.0.1', port })).toEqual({ state: 'quiet' });
    await vi.waitFor(() => expect(got).toEqual(['0000000000000000', '0000000000000000']), 5000);
    await close();
  });

  it('that is closed refuses', async () => {
    const { port, close } = await listener();
    await close();
    const target = { family: 4, remote: '127.0.0.1', local: '127.0.0.1', port } as const;
    expect(await probeUdpPort(target)).toEqual({ state: 'refused' });
  });

  it('cannot be tried from an address that is not here', async () => {
    const target = { family: 4, remote: '127.0.0.1', local: '192.0.2.201', port: 4789 } as const;
    expect(await probeUdpPort(target)).toEqual({ state: 'failed', code: 'EADDRNOTAVAIL' });
  });

  it('is reached from an address that the kernel chooses', async () => {
    expect(await sourceTowards({ family: 4, remote: '127.0.0.1' })).toBe('127.0.0.1');
    expect(await sourceTowards({ family: 4, remote: '255.255.255.255' })).toBeUndefined();
  });
});

describe('addresses of this host among the remotes', () => {
  it("are another switch's, unless the port receives there itself", async () => {
    const devices = {
      route: () => ({ state: 'none', code: 'X' }) as const,
      addresses: () => new Set(['192.0.2.1', '192.0.2.2']),
    };
    const port = (local?: string) => ({
      name: 'vxlan0',
      family: 4,
      ports: [],
      ...(local === undefined ? {} : { local }),
    });
    const own = async (local: string | undefined, address: string) => {
      const one = { port: port(local), remote: { address, ports: [], heard: 0, sent: 0 } } as unknown as RemoteCase;
      return (await examineRemotes([one], devices, { pings: false }))[0].own;
    };
    expect(await own('192.0.2.1', '192.0.2.1')).toBe(true);
    expect(await own('192.0.2.1', '192.0.2.2')).toBe(false);
    expect(await own(undefined, '192.0.2.2')).toBe(true);
    expect(await own(undefined, '192.0.2.3')).toBe(false);
  });
});
