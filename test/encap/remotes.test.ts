import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_REMOTES, RemoteTable, STATIC_REMOTES } from '../../src/encap/remotes.js';
import { parseAddress } from '../../src/wire/ip-address.js';

function words(text: string): [number, number, number, number] {
  const address = parseAddress(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address.words;
}

describe('the table of remotes', () => {
  it('finds a known remote by port and address', () => {
    const table = new RemoteTable();
    table.add(1, 3, words('192.0.2.1'), 4789, true);
    table.add(2, 3, words('2001:db8::1'), 4789, true);
    expect(table.find(3, ...words('192.0.2.1'))).toBe(1);
    expect(table.find(3, ...words('2001:db8::1'))).toBe(2);
  });

  it('an address of one port is not known on another', () => {
    const table = new RemoteTable();
    table.add(1, 3, words('192.0.2.1'), 4789, true);
    expect(table.find(4, ...words('192.0.2.1'))).toBe(0);
    table.add(2, 4, words('192.0.2.1'), 4789, true);
    expect([table.find(3, ...words('192.0.2.1')), table.find(4, ...words('192.0.2.1'))]).toEqual([1, 2]);
  });

  it('an address that differs in one word is another', () => {
    const table = new RemoteTable();
    table.add(1, 0, [1, 2, 3, 4], 4789, true);
    expect([
      table.find(0, 9, 2, 3, 4),
      table.find(0, 1, 9, 3, 4),
      table.find(0, 1, 2, 9, 4),
      table.find(0, 1, 2, 3, 9),
    ]).toEqual([0, 0, 0, 0]);
  });

  it('a remote that is not known is a place to send to only', () => {
    const table = new RemoteTable();
    table.add(1, 3, words('192.0.2.1'), 8472, false);
    expect(table.find(3, ...words('192.0.2.1'))).toBe(0);
    expect(table.udpPort(1)).toBe(8472);
    expect(table.address(1)).toEqual(words('192.0.2.1'));
  });

  it('two remotes at one address are one VTEP, whatever their UDP ports', () => {
    const table = new RemoteTable();
    table.add(1, 3, words('2001:db8::1'), 4789, true);
    table.add(2, 3, words('2001:db8::1'), 8472, false);
    table.add(3, 3, words('2001:db8::2'), 4789, true);
    expect([table.isSameVtep(1, 2), table.isSameVtep(1, 3), table.isSameVtep(1, 1)]).toEqual([true, false, true]);
  });

  it('admits a VTEP that an engine meets, its address somewhere in a ring', () => {
    const table = new RemoteTable();
    const ring = Int32Array.from([9, 9, 9, ...words('2001:db8::9'), 9]);
    expect(table.admit(3, ring, 3, 8472)).toBe(STATIC_REMOTES);
    expect(table.find(3, ...words('2001:db8::9'))).toBe(STATIC_REMOTES);
    expect([table.address(STATIC_REMOTES), table.udpPort(STATIC_REMOTES)]).toEqual([words('2001:db8::9'), 8472]);
  });

  it('engines on one memory agree on the index of a VTEP, whoever is first', () => {
    const one = new RemoteTable();
    const other = new RemoteTable(one.memory);
    one.add(1, 3, words('192.0.2.1'), 4789, true);
    expect(other.find(3, ...words('192.0.2.1'))).toBe(1);
    const met = other.admit(3, words('192.0.2.7'), 0, 4789);
    expect(one.find(3, ...words('192.0.2.7'))).toBe(met);
    // Both had looked in vain before either admitted it.
    expect(one.admit(3, words('192.0.2.7'), 0, 4789)).toBe(met);
    expect(one.admit(3, words('192.0.2.8'), 0, 4789)).not.toBe(met);
  });

  it('carrying out the same operation again changes nothing', () => {
    const table = new RemoteTable();
    for (let i = 0; i < 3; i++) table.add(1, 3, words('192.0.2.1'), 4789, true);
    expect(table.find(3, ...words('192.0.2.1'))).toBe(1);
  });

  it('lists what the engines came to know, by port', () => {
    const table = new RemoteTable();
    table.add(1, 3, words('192.0.2.1'), 4789, true);
    for (const [port, address] of [
      [3, '192.0.2.7'],
      [4, '192.0.2.8'],
      [3, '2001:db8::9'],
    ] as const) {
      table.admit(port, words(address), 0, 4789);
    }
    const reader = new RemoteTable(table.memory);
    expect([...reader.learned(3)].map((remote) => reader.address(remote))).toEqual([
      words('192.0.2.7'),
      words('2001:db8::9'),
    ]);
    expect([...reader.learned(4)]).toEqual([STATIC_REMOTES + 1]);
    expect([...reader.learned(5)]).toEqual([]);
  });

  it('holds all that it may, and then says that there is no room', () => {
    const table = new RemoteTable();
    for (let remote = 1; remote < STATIC_REMOTES; remote++) {
      table.add(remote, remote & 7, [0, 0, 0xffff, remote], 4789, true);
    }
    for (let i = 0; i < MAX_REMOTES - STATIC_REMOTES; i++) {
      if (table.admit(9, [0, 0, 0xffff, i], 0, 4789) !== STATIC_REMOTES + i) expect.fail(`VTEP ${i} was not admitted`);
    }
    expect([1, 2].map((i) => table.admit(9, [1, 1, 1, i], 0, 4789))).toEqual([0, 0]);
    for (let remote = 1; remote < STATIC_REMOTES; remote++) {
      if (table.find(remote & 7, 0, 0, 0xffff, remote) !== remote) expect.fail(`remote ${remote} is lost`);
    }
    expect(table.find(9, 0, 0, 0xffff, 32_767)).toBe(MAX_REMOTES - 1);
    // A miss in the full table ends as well.
    for (let i = 0; i < 1000; i++) expect(table.find(10, i, i, i, i)).toBe(0);
  });

  it('is a map from port and address', () => {
    const key = fc.tuple(
      fc.nat(3),
      fc.tuple(fc.nat(1), fc.nat(1), fc.constantFrom(0, 0xffff), fc.integer({ min: -3, max: 3 })),
    );
    fc.assert(
      fc.property(fc.array(key, { maxLength: 60 }), fc.array(key, { maxLength: 60 }), (added, asked) => {
        const table = new RemoteTable();
        const model = new Map<string, number>();
        for (const [port, address] of added) {
          const name = `${port} ${address}`;
          if (model.has(name)) continue;
          model.set(name, model.size + 1);
          table.add(model.size, port, address, 4789, true);
        }
        for (const [port, address] of [...added, ...asked]) {
          expect(table.find(port, ...address)).toBe(model.get(`${port} ${address}`) ?? 0);
        }
      }),
      { numRuns: 50 },
    );
  });
});
