import { describe, expect, it } from 'vitest';
import { senderChoice, TOS_INHERIT, Tunnel, VIDS } from '../../src/encap/tunnel.js';

/** Senders of flows with hashes from 0 on, as many as there are to choose from: packets that may be fragmented, others. */
function chosen({ senders }: Tunnel): [plain: number[], whole: number[]] {
  const of = (whole: boolean): number[] =>
    Array.from({ length: senders.length / 2 }, (_, hash) => senders[senderChoice(hash, whole) & (senders.length - 1)]);
  return [of(false), of(true)];
}

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
    expect(chosen(make(senders))).toEqual([senders.slice(0, used), senders.slice(0, used)]);
  });

  it('leaves nothing of a VLAN that is unmapped, and the others as they are', () => {
    const tunnel = make([0]);
    for (const vid of [5, 6]) {
      tunnel.mapVlan(vid, 100 + vid, 64 * vid, vid);
      tunnel.setFlood(vid, [1, 2]);
    }
    tunnel.unmapVlan(5);
    expect([tunnel.vniOfVlan[5], tunnel.headerOfVlan[5], tunnel.counterOfVlan[5]]).toEqual([0, 0, 0]);
    expect(tunnel.floodOfVlan[5]).toHaveLength(0);
    expect([tunnel.vniOfVlan[6], tunnel.headerOfVlan[6], tunnel.counterOfVlan[6]]).toEqual([106, 384, 6]);
    expect([...tunnel.floodOfVlan[6]]).toEqual([1, 2]);
    tunnel.setFlood(5, [3]);
    tunnel.unmapVlan(7);
    expect([...tunnel.floodOfVlan[5]]).toEqual([3]);
    expect(tunnel.floodOfVlan[7]).toHaveLength(0);
  });

  it('is given other senders and another TOS, and keeps the rest', () => {
    const tunnel = new Tunnel(2, [1, 2], 4789, 8);
    tunnel.mapVlan(5, 105, 64, 1);
    tunnel.setFlood(5, [1]);
    tunnel.setSenders([7, 8, 9], TOS_INHERIT);
    expect(chosen(tunnel)[0]).toEqual([7, 8]);
    expect([tunnel.tos, tunnel.socket, tunnel.udpPort]).toEqual([TOS_INHERIT, 2, 4789]);
    expect([tunnel.vniOfVlan[5], ...tunnel.floodOfVlan[5]]).toEqual([105, 1]);
  });

  it('has a second pool for packets that must not be fragmented, if it is given one', () => {
    const tunnel = new Tunnel(2, [1, 2, 3], 4789, 0, [4, 5]);
    expect(chosen(tunnel)).toEqual([
      [1, 2],
      [4, 5],
    ]);
    tunnel.setSenders([7, 8], 0);
    expect(chosen(tunnel)).toEqual([
      [7, 8],
      [7, 8],
    ]);
    tunnel.setSenders([1], 0, [2, 3, 4, 5]);
    expect(chosen(tunnel)).toEqual([
      [1, 1, 1, 1],
      [2, 3, 4, 5],
    ]);
    for (const hash of [4, 0x7ffffffc]) {
      expect(senderChoice(hash, true) & (tunnel.senders.length - 1)).toBe(senderChoice(0, true));
    }
  });

  it('two tunnels share nothing', () => {
    const [one, other] = [make([0]), make([0])];
    one.mapVlan(1, 1, 1, 1);
    one.setFlood(1, [1]);
    expect(other.vniOfVlan[1]).toBe(0);
    expect(other.floodOfVlan[1]).toHaveLength(0);
  });
});
