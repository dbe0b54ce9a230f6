import { describe, expect, it } from 'vitest';
import { Tunnel, VIDS } from '../../src/encap/tunnel.js';

const make = (senders: number[]) => new Tunnel(0, senders, 4789, 0);

describe('a tunnel', () => {
  it('maps a VLAN to its VNI, header and counter, and no other VLAN', () => {
    const tunnel = make([0]);
    tunnel.mapVlan(4094, 0xffffff, 64, 3);
    expect([tunnel.vniOfVlan[4094], tunnel.headerOfVlan[4094], tunnel.counterOfVlan[4094]]).toEqual([0xffffff, 64, 3]);
    expect(tunnel.vniOfVlan.filter((vni) => vni !== 0)).toHaveLength(1);
    expect(tunnel.vniOfVlan).toHaveLength(VIDS);
  });

  it('has an empty flood list for each VLAN until it is given one', () => {
    const tunnel = make([0]);
    expect(tunnel.floodOfVlan[7]).toHaveLength(0);
    tunnel.setFlood(7, [3, 1, 2]);
    expect([...tunnel.floodOfVlan[7]]).toEqual([3, 1, 2]);
    expect(tunnel.floodOfVlan[8]).toHaveLength(0);
    tunnel.setFlood(7, []);
    expect(tunnel.floodOfVlan[7]).toHaveLength(0);
  });

  it('a remote that is named twice is in the flood list once', () => {
    const tunnel = make([0]);
    tunnel.setFlood(7, [1, 2, 1, 3, 2]);
    expect([...tunnel.floodOfVlan[7]]).toEqual([1, 2, 3]);
  });

  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 4],
    [7, 4],
    [16, 16],
    [17, 16],
  ])('of %i sending sockets uses %i, so that a mask chooses', (given, used) => {
    const senders = Array.from({ length: given }, (_, i) => 10 + i);
    expect([...make(senders).senders]).toEqual(senders.slice(0, used));
  });

  it('two tunnels share nothing', () => {
    const [one, other] = [make([0]), make([0])];
    one.mapVlan(1, 1, 1, 1);
    one.setFlood(1, [1]);
    expect(other.vniOfVlan[1]).toBe(0);
    expect(other.floodOfVlan[1]).toHaveLength(0);
  });
});
