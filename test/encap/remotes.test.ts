import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MET_IN_TICK, MET_OF_NETWORK, MET_OF_PORT } from '../../src/encap/introductions.js';
import { createRemotes, MAX_REMOTES, RemoteTable, STATIC_REMOTES, viewsOf } from '../../src/encap/remotes.js';
import { parseAddress } from '../../src/wire/ip-address.js';

function words(text: string): [number, number, number, number] {
  const address = parseAddress(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address.words;
}

/** An engine meets VTEP `i`: the ports, networks and ticks are as many as that takes. */
function meet(table: RemoteTable, i: number): number {
  return table.admit(9 + Math.floor(i / MET_OF_PORT), [0, 0, 0xffff, i], 0, 4789, Math.floor(i / MET_IN_TICK));
}

describe('the table of remotes', () => {
  it('finds a known remote by port and address', () => {
    const table = createRemotes();
    table.add(1, 3, words('192.0.2.1'), 4789, true);
    table.add(2, 3, words('2001:db8::1'), 4789, true);
    expect(table.find(3, ...words('192.0.2.1'))).toBe(1);
    expect(table.find(3, ...words('2001:db8::1'))).toBe(2);
  });

  it('takes learned remotes of another table, whatever their number in a tick, and none twice', () => {
    const table = createRemotes();
    table.add(1, 3, words('192.0.2.1'), 4789, true);
    const found = Array.from({ length: 2 * MET_IN_TICK }, (_, i) => table.restore(3, [0, 0, 0xffff, i + 1], 4789, 50));
    expect(new Set(found).size).toBe(2 * MET_IN_TICK);
    expect(Math.min(...found)).toBe(STATIC_REMOTES);
    expect(found.map((_, i) => table.find(3, 0, 0, 0xffff, i + 1))).toEqual(found);
    expect(table.learnedOf(3)).toBe(2 * MET_IN_TICK);
    expect(table.heardAt(found[0])).toBe(50);
    expect(table.restore(3, [0, 0, 0xffff, 1], 4789, 60)).toBe(found[0]);
    expect(table.heardAt(found[0])).toBe(60);
    // One that is configured stays that.
    expect(table.restore(3, words('192.0.2.1'), 4789, 60)).toBe(1);
    expect(table.learnedOf(3)).toBe(2 * MET_IN_TICK);
    // Limits hold for the next that an engine meets.
    expect(table.remove(found[0])).toBe(true);
    expect(table.learnedOf(3)).toBe(2 * MET_IN_TICK - 1);
  });

  it('an address of one port is not known on another', () => {
    const table = createRemotes();
    table.add(1, 3, words('192.0.2.1'), 4789, true);
    expect(table.find(4, ...words('192.0.2.1'))).toBe(0);
    table.add(2, 4, words('192.0.2.1'), 4789, true);
    expect([table.find(3, ...words('192.0.2.1')), table.find(4, ...words('192.0.2.1'))]).toEqual([1, 2]);
  });

  it('an address that differs in one word is another', () => {
    const table = createRemotes();
    table.add(1, 0, [1, 2, 3, 4], 4789, true);
    expect([
      table.find(0, 9, 2, 3, 4),
      table.find(0, 1, 9, 3, 4),
      table.find(0, 1, 2, 9, 4),
      table.find(0, 1, 2, 3, 9),
    ]).toEqual([0, 0, 0, 0]);
  });

  it('a remote that is not known is a place to send to only', () => {
    const table = createRemotes();
    table.add(1, 3, words('192.0.2.1'), 8472, false);
    expect(table.find(3, ...words('192.0.2.1'))).toBe(0);
    expect(table.udpPort(1)).toBe(8472);
    expect(table.address(1)).toEqual(words('192.0.2.1'));
  });

  it('two remotes at one address are one VTEP, whatever their UDP ports', () => {
    const table = createRemotes();
    table.add(1, 3, words('2001:db8::1'), 4789, true);
    table.add(2, 3, words('2001:db8::1'), 8472, false);
    table.add(3, 3, words('2001:db8::2'), 4789, true);
    expect([table.isSameVtep(1, 2), table.isSameVtep(1, 3), table.isSameVtep(1, 1)]).toEqual([true, false, true]);
  });

  it('admits a VTEP that an engine meets, its address somewhere in a ring', () => {
    const table = createRemotes();
    const ring = Int32Array.from([9, 9, 9, ...words('2001:db8::9'), 9]);
    expect(table.admit(3, ring, 3, 8472, 1)).toBe(STATIC_REMOTES);
    expect(table.find(3, ...words('2001:db8::9'))).toBe(STATIC_REMOTES);
    expect([table.address(STATIC_REMOTES), table.udpPort(STATIC_REMOTES)]).toEqual([words('2001:db8::9'), 8472]);
  });

  it('engines on one memory agree on the index of a VTEP, whoever is first', () => {
    const one = createRemotes();
    const other = new RemoteTable(one.memory);
    one.add(1, 3, words('192.0.2.1'), 4789, true);
    expect(other.find(3, ...words('192.0.2.1'))).toBe(1);
    const met = other.admit(3, words('192.0.2.7'), 0, 4789, 1);
    expect(one.find(3, ...words('192.0.2.7'))).toBe(met);
    // Both had looked in vain before either admitted it.
    expect(one.admit(3, words('192.0.2.7'), 0, 4789, 1)).toBe(met);
    expect(one.admit(3, words('192.0.2.8'), 0, 4789, 1)).not.toBe(met);
  });

  it('is no other memory', () => {
    expect(() => new RemoteTable(new SharedArrayBuffer(16))).toThrow(/no table of remotes/);
    expect(() => new RemoteTable(new SharedArrayBuffer(4096))).toThrow(/no table of remotes/);
  });

  it('has a seed, by which remotes lie in other slots, and which whoever attaches to it has too', () => {
    const tables = [1, 2].map((seed) => createRemotes(seed));
    const places = tables.map((table) => {
      for (let i = 0; i < 100; i++) meet(table, i);
      const reader = new RemoteTable(table.memory);
      for (let i = 0; i < 100; i++) expect(reader.find(9, 0, 0, 0xffff, i)).toBe(STATIC_REMOTES + i);
      const { slots } = viewsOf(table.memory);
      return Array.from({ length: 100 }, (_, i) => slots.indexOf(STATIC_REMOTES + i));
    });
    expect(places[0].filter((slot, i) => slot === places[1][i]).length).toBeLessThan(5);
  });

  it('carrying out the same operation again changes nothing', () => {
    const table = createRemotes();
    for (let i = 0; i < 3; i++) table.add(1, 3, words('192.0.2.1'), 4789, true);
    expect(table.find(3, ...words('192.0.2.1'))).toBe(1);
  });

  it('lists what the engines came to know, by port', () => {
    const table = createRemotes();
    table.add(1, 3, words('192.0.2.1'), 4789, true);
    for (const [port, address] of [
      [3, '192.0.2.7'],
      [4, '192.0.2.8'],
      [3, '2001:db8::9'],
    ] as const) {
      table.admit(port, words(address), 0, 4789, 1);
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
    const table = createRemotes();
    for (let remote = 1; remote < STATIC_REMOTES; remote++) {
      table.add(remote, remote & 7, [0, 0, 0xffff, remote], 4789, true);
    }
    for (let i = 0; i < MAX_REMOTES - STATIC_REMOTES; i++) {
      if (meet(table, i) !== STATIC_REMOTES + i) expect.fail(`VTEP ${i} was not admitted`);
    }
    expect([1, 2].map((i) => table.admit(30, [1, 1, 1, i], 0, 4789, 1))).toEqual([0, 0]);
    for (let remote = 1; remote < STATIC_REMOTES; remote++) {
      if (table.find(remote & 7, 0, 0, 0xffff, remote) !== remote) expect.fail(`remote ${remote} is lost`);
    }
    expect(table.find(16, 0, 0, 0xffff, 32_767)).toBe(MAX_REMOTES - 1);
    // A miss in the full table ends as well.
    for (let i = 0; i < 1000; i++) expect(table.find(10, i, i, i, i)).toBe(0);
  });

  it('a removed remote is not found any more, and others are', () => {
    const table = createRemotes();
    table.add(1, 3, words('192.0.2.1'), 4789, true);
    table.add(2, 3, words('192.0.2.2'), 4789, true);
    table.add(3, 3, words('192.0.2.3'), 4789, false);
    expect([table.remove(1), table.remove(3), table.remove(1), table.remove(77)]).toEqual([true, true, false, false]);
    expect([table.find(3, ...words('192.0.2.1')), table.find(3, ...words('192.0.2.2'))]).toEqual([0, 2]);
    expect([table.udpPort(1), table.udpPort(2)]).toEqual([0, 4789]);
  });

  it('a number that is added again is the new remote only', () => {
    const table = createRemotes();
    table.add(1, 3, words('192.0.2.1'), 4789, true);
    table.add(1, 4, words('192.0.2.9'), 8472, true);
    expect([table.find(3, ...words('192.0.2.1')), table.find(4, ...words('192.0.2.9'))]).toEqual([0, 1]);
    expect(table.udpPort(1)).toBe(8472);
    table.add(1, 4, words('192.0.2.9'), 4790, true);
    expect([table.find(4, ...words('192.0.2.9')), table.udpPort(1)]).toEqual([1, 4790]);
    table.add(1, 4, words('192.0.2.9'), 4790, false);
    expect(table.find(4, ...words('192.0.2.9'))).toBe(0);
  });

  it('of several remotes at one address the last is found, and then the one behind it, until none is left', () => {
    const table = createRemotes();
    const address = words('2001:db8::1');
    for (const remote of [1, 2, 3, 4]) table.add(remote, 3, address, 4789 + remote, true);
    expect([4, 3, 2, 1].map((remote) => table.behind(remote))).toEqual([3, 2, 1, 0]);
    table.remove(3);
    expect([4, 3, 2, 1].map((remote) => table.behind(remote))).toEqual([2, 0, 1, 0]);
    const seen = [1, 2, 4].map(() => {
      const found = table.find(3, ...address);
      table.remove(found);
      return found;
    });
    expect(seen).toEqual([4, 2, 1]);
    expect(table.find(3, ...address)).toBe(0);
  });

  it('a VTEP that was met has the number that it is configured with, at once', () => {
    const table = createRemotes();
    const address = words('192.0.2.1');
    const met = table.admit(3, address, 0, 4789, 1);
    table.add(7, 3, address, 8472, true);
    expect([table.find(3, ...address), table.behind(7), table.admit(3, address, 0, 4789, 1)]).toEqual([7, met, 7]);
    table.remove(met);
    expect([table.find(3, ...address), table.behind(7)]).toEqual([7, 0]);
  });

  it('one that is withdrawn is not found, and stays what it is until it is removed', () => {
    const table = createRemotes();
    const address = words('192.0.2.1');
    const remote = table.admit(3, address, 0, 4789, 1);
    const version = table.version(remote);
    expect([table.isFindable(3, remote), table.isFindable(4, remote)]).toEqual([true, false]);
    table.withdraw(remote);
    table.withdraw(remote);
    expect([table.find(3, ...address), table.isFindable(3, remote)]).toEqual([0, false]);
    expect([table.udpPort(remote), table.version(remote), [...table.learned(3)]]).toEqual([4789, version, [remote]]);
    // Met again it is another remote.
    expect(table.admit(3, address, 0, 4789, 1)).toBe(remote + 1);
    expect(table.remove(remote)).toBe(true);
    expect([table.udpPort(remote), table.version(remote) === version]).toEqual([0, false]);
    expect([table.find(3, ...address), [...table.learned(3)]]).toEqual([remote + 1, [remote + 1]]);
    table.withdrawLearnedOf(3);
    expect(table.find(3, ...address)).toBe(0);
    expect(table.removeLearnedOf(3)).toBe(1);
  });

  it('gives the numbers of VTEPs whose port has gone to others', () => {
    const table = createRemotes();
    for (let i = 0; i < 10; i++) table.admit(3 + (i & 1), [0, 0, 0xffff, i], 0, 4789, 1);
    expect(table.removeLearnedOf(3)).toBe(5);
    expect(table.removeLearnedOf(3)).toBe(0);
    expect([...table.learned(3)]).toEqual([]);
    expect([...table.learned(4)]).toHaveLength(5);
    expect([table.find(3, 0, 0, 0xffff, 0), table.find(4, 0, 0, 0xffff, 1)]).toEqual([0, STATIC_REMOTES + 1]);
    const other = new RemoteTable(table.memory);
    const again = Array.from({ length: 6 }, (_, i) => other.admit(9, [1, 1, 1, i], 0, 4789, 1));
    expect(again.map((remote) => remote - STATIC_REMOTES).sort((a, b) => a - b)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(table.address(again[0] as number)).toEqual([1, 1, 1, 0]);
  });

  it('has room again when it was full and a VTEP is removed', () => {
    const table = createRemotes();
    const room = MAX_REMOTES - STATIC_REMOTES;
    for (let i = 0; i < room; i++) meet(table, i);
    expect(meet(table, room)).toBe(0);
    expect(table.remove(STATIC_REMOTES + 5)).toBe(true);
    expect(meet(table, room)).toBe(STATIC_REMOTES + 5);
    expect(meet(table, room + 1)).toBe(0);
  });

  it.each([
    ['random', (i: number) => Math.imul(i, 0x9e3779b1) ^ (i << 7)],
    ['consecutive', (i: number) => i],
  ])('keeps searches short while 100,000 remotes come and go: %s addresses', (_name, last) => {
    const table = createRemotes();
    const { slots } = viewsOf(table.memory);
    // All the static numbers but one half are taken; the rest of them are given again and again.
    const half = STATIC_REMOTES / 2;
    for (let remote = 1; remote < STATIC_REMOTES; remote++)
      table.add(remote, 3, [0, 0, 0xffff, last(remote)], 4789, true);
    for (let i = 0; i < 100_000; i++) {
      const remote = half + (i % (half - 1));
      if (!table.remove(remote)) expect.fail(`remote ${remote} was lost`);
      table.add(remote, 3, [0, 0, 0xffff, last(STATIC_REMOTES + i)], 4789, true);
      if (table.find(3, 0, 0, 0xffff, last(STATIC_REMOTES + i)) === 0) expect.fail(`remote ${remote} is not found`);
    }
    for (let remote = 1; remote < half; remote++) {
      if (table.find(3, 0, 0, 0xffff, last(remote)) !== remote) expect.fail(`remote ${remote} is lost`);
    }
    expect(slots.filter((remote) => remote > 0)).toHaveLength(STATIC_REMOTES - 1);
    // A quarter of the slots are taken, and no more tombstones are left than searches pass over.
    expect(longestRun(slots)).toBeLessThan(64);
    expect(slots.filter((remote) => remote < 0).length).toBeLessThan(slots.length / 16);
    for (let remote = 1; remote < STATIC_REMOTES; remote++) table.remove(remote);
    expect(slots.every((remote) => remote === 0)).toBe(true);
  });

  it('is a map from port and address', () => {
    const key = fc.tuple(
      fc.nat(3),
      fc.tuple(fc.nat(1), fc.nat(1), fc.constantFrom(0, 0xffff), fc.integer({ min: -3, max: 3 })),
    );
    const step = fc.record({
      key,
      remote: fc.integer({ min: 1, max: 30 }),
      removes: fc.boolean(),
      known: fc.boolean(),
    });
    const table = createRemotes();
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), fc.array(key, { maxLength: 60 }), (steps, asked) => {
        for (let remote = 1; remote <= 30; remote++) table.remove(remote);
        // Several remotes may have one key: any of them may be the one that is found.
        const model = new Map<number, string | null>();
        const holders = (name: string): number[] =>
          [...model].filter(([, one]) => one === name).map(([remote]) => remote);
        for (const { key, remote, removes, known } of steps) {
          if (removes) {
            expect(table.remove(remote)).toBe(model.delete(remote));
          } else {
            table.add(remote, key[0], key[1], 4789, known);
            model.set(remote, known ? `${key}` : null);
          }
        }
        for (const [port, address] of [...asked, ...steps.map((one) => one.key)]) {
          const [found, among] = [table.find(port, ...address), holders(`${[port, address]}`)];
          if (among.length === 0) expect(found).toBe(0);
          else expect(among).toContain(found);
        }
      }),
      { numRuns: 100 },
    );
  });
});

/** Most slots in a row that are not empty: no search is longer. */
function longestRun(slots: Int32Array): number {
  let longest = 0;
  let run = 0;
  for (const remote of slots) {
    run = remote === 0 ? 0 : run + 1;
    longest = Math.max(longest, run);
  }
  return longest;
}

describe('VTEPs that a port meets', () => {
  /** A VTEP of a network each, in a tick each. */
  const far = (table: RemoteTable, i: number, tick = i): number => table.admit(3, [0x20010db8, i, 0, 1], 0, 4789, tick);

  it('are so many in a tick', () => {
    const table = createRemotes();
    let next = 0;
    const met = (tick: number): number =>
      Array.from({ length: 100 }, () => far(table, next++, tick)).filter((remote) => remote !== 0).length;
    expect([1, 2, 2, 3].map(met)).toEqual([MET_IN_TICK, MET_IN_TICK, 0, MET_IN_TICK]);
    // Another port's are counted by themselves.
    expect(table.admit(4, [0x20010db8, 1, 0, 1], 0, 4789, 3)).not.toBe(0);
  });

  it('are so many of a port, and as many more as have gone', () => {
    const table = createRemotes();
    const all = Array.from({ length: MET_OF_PORT }, (_, i) => far(table, i));
    expect(all).not.toContain(0);
    expect([far(table, MET_OF_PORT), table.learnedOf(3)]).toEqual([0, MET_OF_PORT]);
    // One that another engine has met meanwhile is known.
    expect(far(table, 5)).toBe(all[5]);
    table.withdraw(all[5]);
    expect(far(table, MET_OF_PORT)).toBe(0);
    table.remove(all[5]);
    expect([far(table, MET_OF_PORT), far(table, MET_OF_PORT + 1)]).toEqual([all[5], 0]);
    expect(table.removeLearnedOf(3)).toBe(MET_OF_PORT);
    expect(table.learnedOf(3)).toBe(0);
  });

  it('are so many of an IPv6 network, whatever addresses its hosts choose, and others have room', () => {
    const table = createRemotes();
    const host = (i: number, network = 7): number =>
      table.admit(3, [0x20010db8, network, i, Math.imul(i, 0x9e3779b1)], 0, 4789, i);
    const all = Array.from({ length: MET_OF_NETWORK + 100 }, (_, i) => host(i));
    expect(all.filter((remote) => remote !== 0)).toHaveLength(MET_OF_NETWORK);
    expect(host(1000, 8)).not.toBe(0);
    expect(table.learnedBeside(all[0])).toBe(MET_OF_NETWORK);
    table.remove(all[0]);
    expect(host(2000)).toBe(all[0]);
  });

  it('are all addresses of an IPv4 network', () => {
    const table = createRemotes();
    for (let i = 0; i < 256; i++)
      if (table.admit(3, [0, 0, 0xffff, 0x0a000000 + i], 0, 4789, i) === 0) expect.fail(`no room for ${i}`);
    expect(table.learnedOf(3)).toBe(256);
  });

  it('tell when they were heard last', () => {
    const table = createRemotes();
    const remote = far(table, 10);
    expect(table.heardAt(remote)).toBe(10);
    table.hear(remote, 77);
    table.hear(5, 99);
    expect(new RemoteTable(table.memory).heardAt(remote)).toBe(77);
    table.remove(remote);
    expect([far(table, 500), table.heardAt(remote)]).toEqual([remote, 500]);
  });
});
