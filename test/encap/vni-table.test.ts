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

  it('is a map', () => {
    const key = fc.tuple(fc.nat(2), fc.constantFrom(0, 1, 2, 256, 0x10000, 0xfffffe, 0xffffff));
    const write = fc.tuple(key, fc.nat(1023), fc.nat(4095));
    fc.assert(
      fc.property(fc.array(write), fc.array(key), (writes, asked) => {
        const table = new VniTable();
        const model = new Map<string, number>();
        for (const [[socket, vni], port, vid] of writes) {
          table.set(socket, vni, port, vid);
          model.set(`${socket} ${vni}`, place(port, vid));
        }
        for (const [socket, vni] of asked)
          expect(table.find(socket, vni)).toBe(model.get(`${socket} ${vni}`) ?? VNI_UNKNOWN);
      }),
    );
  });
});
