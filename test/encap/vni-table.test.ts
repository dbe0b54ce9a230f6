import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VNI_UNKNOWN, VniTable } from '../../src/encap/vni-table.js';

const place = (port: number, vid: number): number => (port << 12) | vid;

describe('the table of VNIs', () => {
  it('knows nothing at first', () => {
    const table = new VniTable();
    for (const vni of [0, 1, 42, 0xffffff]) expect(table.find(0, vni)).toBe(VNI_UNKNOWN);
  });

  it('finds port and VLAN by socket and VNI', () => {
    const table = new VniTable();
    table.set(0, 42, 3, 7);
    table.set(1, 42, 4, 0);
    table.set(0, 0xffffff, 1023, 4094);
    table.set(127, 0xffffff, 5, 1);
    expect(table.find(0, 42)).toBe(place(3, 7));
    expect(table.find(1, 42)).toBe(place(4, 0));
    expect(table.find(0, 0xffffff)).toBe(place(1023, 4094));
    expect(table.find(127, 0xffffff)).toBe(place(5, 1));
    expect(table.find(2, 42)).toBe(VNI_UNKNOWN);
    expect(table.find(0, 43)).toBe(VNI_UNKNOWN);
  });

  it('a later mapping of a VNI replaces the earlier one', () => {
    const table = new VniTable();
    table.set(0, 42, 3, 7);
    table.set(0, 42, 3, 8);
    expect(table.find(0, 42)).toBe(place(3, 8));
  });

  it('grows with what is in it: 8,000 VNIs on each of three sockets', () => {
    const table = new VniTable();
    for (let vni = 1; vni <= 8000; vni++)
      for (let socket = 0; socket < 3; socket++) table.set(socket, vni, socket, vni & 0xfff);
    for (let vni = 1; vni <= 8000; vni++) {
      for (let socket = 0; socket < 3; socket++) {
        if (table.find(socket, vni) !== place(socket, vni & 0xfff))
          expect.fail(`VNI ${vni} of socket ${socket} is lost`);
      }
      if (table.find(3, vni) !== VNI_UNKNOWN) expect.fail(`VNI ${vni} of socket 3 came from nowhere`);
    }
  });

  it('forgets a VNI, and says whether it was there', () => {
    const table = new VniTable();
    table.set(0, 42, 3, 7);
    table.set(1, 42, 4, 0);
    expect([table.remove(0, 42), table.remove(0, 42), table.remove(5, 1)]).toEqual([true, false, false]);
    expect([table.find(0, 42), table.find(1, 42)]).toEqual([VNI_UNKNOWN, place(4, 0)]);
  });

  it('keeps what is there while VNIs come and go for ever', () => {
    const table = new VniTable();
    for (let vni = 1; vni <= 100; vni++) table.set(0, vni, 1, vni);
    for (let i = 0; i < 100_000; i++) {
      table.set(i & 7, 1000 + i, 2, i & 0xfff);
      if (table.find(i & 7, 1000 + i) !== place(2, i & 0xfff)) expect.fail(`VNI ${i} is not there`);
      if (!table.remove(i & 7, 1000 + i)) expect.fail(`VNI ${i} was lost`);
    }
    for (let vni = 1; vni <= 100; vni++) expect(table.find(0, vni)).toBe(place(1, vni));
    // Had anything been left behind, the table would have no free slot, and this search no end.
    expect(table.find(9, 9)).toBe(VNI_UNKNOWN);
  });

  it('is a map', () => {
    // So many in a table of 256 slots that searches pass over one another.
    const key = fc.tuple(fc.nat(2), fc.oneof(fc.nat(60), fc.constantFrom(256, 0x10000, 0xfffffe, 0xffffff)));
    const step = fc.record({ key, removes: fc.boolean(), port: fc.nat(1023), vid: fc.nat(4095) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: 'max' }), fc.array(key), (steps, asked) => {
        const table = new VniTable();
        const model = new Map<string, number>();
        for (const { key, removes, port, vid } of steps) {
          const [socket, vni] = key;
          if (removes) {
            expect(table.remove(socket, vni)).toBe(model.delete(`${socket} ${vni}`));
          } else {
            table.set(socket, vni, port, vid);
            model.set(`${socket} ${vni}`, place(port, vid));
          }
        }
        for (const [socket, vni] of [...asked, ...steps.map((step) => step.key)])
          expect(table.find(socket, vni)).toBe(model.get(`${socket} ${vni}`) ?? VNI_UNKNOWN);
      }),
    );
  });

  it('grows until keys that collide lie within reach of a search', () => {
    // The table's hash, for socket 0: these VNIs have one home in every table of up to 2,048 slots.
    const hash = (key: number): number => {
      const h = Math.imul(key ^ (key >>> 16), 0x85ebca6b);
      return h ^ (h >>> 13);
    };
    const colliding: number[] = [];
    for (let vni = 1; colliding.length < 400; vni++) if ((hash(vni) & 2047) === 5) colliding.push(vni);
    const table = new VniTable();
    for (const vni of colliding) table.set(0, vni, 1, vni & 0xfff);
    for (const vni of colliding) expect(table.find(0, vni)).toBe(place(1, vni & 0xfff));
    for (const vni of colliding.slice(0, 200)) expect(table.remove(0, vni)).toBe(true);
    expect(colliding.map((vni) => table.find(0, vni) !== VNI_UNKNOWN)).toEqual(colliding.map((_, i) => i >= 200));
  });
});
