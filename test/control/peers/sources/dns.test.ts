import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readServer } from '../../../../src/control/peers/sources/dns/client.js';
import { NameSource } from '../../../../src/control/peers/sources/dns/name-source.js';
import type { SourcePort, SourceSite } from '../../../../src/control/peers/sources/source.js';
import { DnsServer } from '../../../e2e/tools/dns-server.js';
import { type FakeSite, fakeSite, PORT, until } from './fake-tables.js';

const NAME = 'vtep.example.net';
let server: DnsServer;
let site: FakeSite;
const sources: NameSource[] = [];

function start(name = NAME, port: SourcePort = PORT, given: Partial<SourceSite> = {}): NameSource {
  site = fakeSite({ servers: [server.address], ...given });
  const source = new NameSource(name, port, site);
  sources.push(source);
  return source;
}

const floods = (...rows: string[]): Promise<void> =>
  until(`floods ${rows.join(', ')}; they are ${site.tables.floods.join(', ')}`, () => same(site.tables.floods, rows));
const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

beforeEach(async () => {
  server = await DnsServer.start();
});
afterEach(() => {
  for (const source of sources.splice(0)) source.stop();
  server.close();
});

describe('a name among the remotes', () => {
  it('is all of its addresses, in every VNI, and follows them when the TTL is over', async () => {
    server.zone = {
      [`A ${NAME}`]: {
        ttl: 1,
        addresses: [
          [192, 0, 2, 3],
          [192, 0, 2, 2],
        ],
      },
    };
    const source = start(NAME, { ...PORT, vnis: [100, 101] });
    await floods('100 192.0.2.2', '100 192.0.2.3', '101 192.0.2.2', '101 192.0.2.3');
    expect(source.status()).toMatchObject({ source: `dns ${NAME}`, state: 'ok', remotes: 2, fault: null });
    const asked = server.asked.length;
    server.zone = { [`A ${NAME}`]: { ttl: 3600, addresses: [[192, 0, 2, 4]] } };
    await floods('100 192.0.2.4', '101 192.0.2.4');
    // One question for each TTL.
    expect(server.asked.length).toBe(asked + 1);
    source.follow({ ...PORT, vnis: [101, 102] });
    await floods('101 192.0.2.4', '102 192.0.2.4');
  });

  it('has addresses of the family of the port, and follows aliases', async () => {
    const address = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    server.zone = { [`AAAA ${NAME}`]: { ttl: 60, cname: 'other.example.net', addresses: [address] } };
    start(NAME, { ...PORT, family: 6, local: '2001:db8::1' });
    await floods('100 2001:db8::2');
    expect(server.asked).toEqual([`AAAA ${NAME}`]);
  });

  it('stays while servers fail, and says so once', async () => {
    server.zone = { [`A ${NAME}`]: { ttl: 0, addresses: [[192, 0, 2, 2]] } };
    const source = start();
    await floods('100 192.0.2.2');
    server.zone = { [`A ${NAME}`]: 2 };
    await until('failed', () => source.status().state === 'failed');
    server.asked.length = 0;
    await until('asked again', () => server.asked.length >= 3);
    expect(site.tables.floods).toEqual(['100 192.0.2.2']);
    expect(site.said).toEqual([`dns ${NAME}: ${server.address} answers SERVFAIL`]);
    server.zone = { [`A ${NAME}`]: { ttl: 60, addresses: [[192, 0, 2, 9]] } };
    await floods('100 192.0.2.9');
    expect(site.said.at(-1)).toBe(`dns ${NAME}: works again`);
  });

  it('stays for a grace time when it ceases to exist', async () => {
    server.zone = { [`A ${NAME}`]: { ttl: 0, addresses: [[192, 0, 2, 2]] } };
    const source = start(NAME, PORT, { graceMs: () => 1500 });
    await floods('100 192.0.2.2');
    server.zone = {};
    await until('failed', () => source.status().state === 'failed');
    expect(site.tables.floods).toEqual(['100 192.0.2.2']);
    await floods();
    expect(source.status()).toMatchObject({ state: 'lapsed', fault: 'there is no such name' });
  });

  it('leaves out what cannot be a remote', async () => {
    const bad = [
      [127, 0, 0, 1],
      [224, 0, 0, 1],
      [0, 0, 0, 0],
      [255, 255, 255, 255],
      [192, 0, 2, 1],
      [192, 0, 2, 7],
    ];
    server.zone = { [`A ${NAME}`]: { ttl: 60, addresses: [...bad, [192, 0, 2, 2]] } };
    const source = start(NAME, PORT, { isOwn: (address) => address === '192.0.2.7' });
    await floods('100 192.0.2.2');
    expect(source.status().fault).toBe('127.0.0.1 is a loopback address');
  });

  it('has a bounded number of addresses, and keeps the last ones when all are nonsense', async () => {
    const many = Array.from({ length: 90 }, (_, i) => [198, 51, 100, i + 1]);
    server.zone = { [`A ${NAME}`]: { ttl: 0, addresses: many, truncated: true } };
    const source = start();
    await until('64 remotes', () => site.tables.floods.length === 64);
    expect(source.status().fault).toBe('it has 90 addresses; 64 of them count');
    server.zone = { [`A ${NAME}`]: { ttl: 0, addresses: [[127, 0, 0, 1]] } };
    await until('failed', () => source.status().state === 'failed');
    expect(site.tables.floods.length).toBe(64);
  });

  it('asks the next server when one is silent, and no server at all is a fault', async () => {
    const other = await DnsServer.start();
    other.silent = true;
    server.zone = { [`A ${NAME}`]: { ttl: 60, addresses: [[192, 0, 2, 2]] } };
    start(NAME, PORT, { ...fakeSite({ servers: [other.address, server.address] }) });
    await floods('100 192.0.2.2');
    other.close();
  });
});

describe('a server that sends what is no answer', () => {
  const junk = (count: number, bytes: number): Uint8Array[] =>
    Array.from({ length: count }, () => new Uint8Array(bytes).fill(0x5a));

  it('is heard behind fifteen late or forged datagrams, and not behind sixteen', async () => {
    server.zone = { [`A ${NAME}`]: { ttl: 60, addresses: [[192, 0, 2, 2]] } };
    server.unsound = junk(16, 40);
    const source = start();
    await until('failed', () => source.status().state === 'failed');
    expect(source.status().fault).toBe(`${server.address} has sent 16 datagrams, none of which is the answer`);
    expect(site.tables.floods).toEqual([]);
    server.unsound = junk(15, 40);
    await floods('100 192.0.2.2');
  });

  it('has 64 KiB for it', async () => {
    server.zone = { [`A ${NAME}`]: { ttl: 60, addresses: [[192, 0, 2, 2]] } };
    server.unsound = junk(2, 40_000);
    const source = start();
    await until('failed', () => source.status().state === 'failed');
    expect(source.status().fault).toBe(`${server.address} has sent 2 datagrams, none of which is the answer`);
  });

  it('may answer byte by byte by TCP', async () => {
    server.zone = {
      [`A ${NAME}`]: {
        ttl: 60,
        truncated: true,
        addresses: [
          [192, 0, 2, 2],
          [192, 0, 2, 3],
        ],
      },
    };
    server.pieces = 1;
    start();
    await floods('100 192.0.2.2', '100 192.0.2.3');
  });
});

describe('a service among the remotes', () => {
  const SERVICE = '_vxlan._udp.example.net';

  it('is its hosts, each with its UDP port', async () => {
    server.zone = {
      [`SRV ${SERVICE}`]: {
        ttl: 60,
        services: [
          { port: 4789, target: 'a.example.net' },
          { port: 4790, target: 'b.example.net' },
        ],
      },
      'A a.example.net': { ttl: 60, addresses: [[192, 0, 2, 2]] },
      'A b.example.net': { ttl: 60, addresses: [[192, 0, 2, 3]] },
    };
    const source = start(SERVICE);
    await floods('100 192.0.2.2', '100 192.0.2.3:4790');
    expect(source.status()).toMatchObject({ state: 'ok', remotes: 2, fault: null });
  });

  it('keeps one host that cannot be looked up, while others change', async () => {
    server.zone = {
      [`SRV ${SERVICE}`]: {
        ttl: 0,
        services: [
          { port: 4789, target: 'a.example.net' },
          { port: 4789, target: 'b.example.net' },
        ],
      },
      'A a.example.net': { ttl: 60, addresses: [[192, 0, 2, 2]] },
      'A b.example.net': { ttl: 60, addresses: [[192, 0, 2, 3]] },
    };
    start(SERVICE);
    await floods('100 192.0.2.2', '100 192.0.2.3');
    server.zone = { ...server.zone, 'A a.example.net': 2, 'A b.example.net': { ttl: 60, addresses: [[192, 0, 2, 4]] } };
    await floods('100 192.0.2.2', '100 192.0.2.4');
  });
});

it('reads the forms of name servers', () => {
  expect(readServer('192.0.2.53')).toEqual({ address: '192.0.2.53', port: 53 });
  expect(readServer('192.0.2.53:5353')).toEqual({ address: '192.0.2.53', port: 5353 });
  expect(readServer('[2001:db8::53]:5353')).toEqual({ address: '2001:db8::53', port: 5353 });
  expect(readServer('2001:db8::53')).toEqual({ address: '2001:db8::53', port: 53 });
});
