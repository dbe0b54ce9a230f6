import { describe, expect, it } from 'vitest';
import { parseDevices } from '../../src/bench/path/proof/counters.js';
import {
  between,
  deviations,
  type Expectation,
  type HostCounters,
  type Shown,
} from '../../src/bench/path/proof/path.js';

const NONE: HostCounters = { underlay: { rxBytes: 0, rxPackets: 0, txBytes: 0, txPackets: 0 }, tunnel: null };
const host = (underlay: Partial<HostCounters['underlay']>, tunnel: HostCounters['tunnel'] = null): HostCounters => ({
  underlay: { ...NONE.underlay, ...underlay },
  tunnel,
});
const SUPERFRAMES: Expectation = { superframes: true, tunnelGso: null };
const A_TCP = { plain: false, isTcp: true };
const B_TCP = { plain: true, isTcp: true };
const shown = (some: Partial<Shown>): Shown => ({
  there: 100e6,
  back: 100e6,
  packetBytes: 60_000,
  tunnelBytes: 100e6,
  superframes: null,
  ...some,
});
const CARRIED = { there: 100e6, back: 100e6 };

describe('the counters of a namespace', () => {
  it('are those of /proc/net/dev, by device', () => {
    const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       1       2    0    0    0     0          0         0        3       4    0    0    0     0       0          0
vxlan0:1234567890    42    0    0    0     0          0         0       99       7    0    0    0     0       0          0
`;
    expect(parseDevices(text)).toEqual({
      lo: { rxBytes: 1, rxPackets: 2, txBytes: 3, txPackets: 4 },
      vxlan0: { rxBytes: 1234567890, rxPackets: 42, txBytes: 99, txPackets: 7 },
    });
  });
});

describe('what carried a measure', () => {
  it('is what the counters grew by, the smaller one of both ends', () => {
    const before = [
      host({ txBytes: 100, txPackets: 10, rxBytes: 1 }, { txBytes: 50, rxBytes: 0, superframes: 5 }),
      host({ rxBytes: 100, txBytes: 2 }, { txBytes: 0, rxBytes: 40, superframes: 0 }),
    ];
    const after = [
      host({ txBytes: 1100, txPackets: 14, rxBytes: 31 }, { txBytes: 950, rxBytes: 0, superframes: 8 }),
      host({ rxBytes: 1050, txBytes: 22 }, { txBytes: 0, rxBytes: 900, superframes: 9 }),
    ];
    expect(between(before, after)).toEqual({
      there: 950,
      back: 20,
      packetBytes: 250,
      tunnelBytes: 860,
      superframes: 3,
    });
  });

  it('is unknown where a switch cannot be asked', () => {
    expect(between([NONE, NONE], [NONE, NONE])).toEqual({
      there: 0,
      back: 0,
      packetBytes: 0,
      tunnelBytes: null,
      superframes: null,
    });
  });
});

describe('the proof of path', () => {
  it('holds for superframes that the underlay and the tunnels carried', () => {
    expect(deviations(shown({}), CARRIED, SUPERFRAMES, A_TCP)).toEqual([]);
    expect(deviations(shown({ there: 95e6, tunnelBytes: null }), CARRIED, SUPERFRAMES, A_TCP)).toEqual([]);
  });

  it('fails when the traffic took another way', () => {
    expect(deviations(shown({ there: 90e6, back: 0, tunnelBytes: 5 }), CARRIED, SUPERFRAMES, A_TCP)).toEqual([
      'the underlay, there, carried 90000000 bytes of 100000000: the traffic took another way',
      'the underlay, back, carried 0 bytes of 100000000: the traffic took another way',
      "the switches' tunnels, there, carried 5 bytes of 100000000: the traffic took another way",
    ]);
  });

  it('fails when segments crossed an underlay that was to get superframes, and the reverse', () => {
    expect(deviations(shown({ packetBytes: 1500 }), CARRIED, SUPERFRAMES, A_TCP)).toEqual([
      "the underlay's packets had 1500 bytes: superframes were not left to it",
    ]);
    expect(deviations(shown({}), CARRIED, { superframes: false, tunnelGso: null }, A_TCP)).toEqual([
      "the underlay's packets had 60000 bytes: superframes were left to it",
    ]);
    expect(deviations(shown({}), CARRIED, SUPERFRAMES, B_TCP)).toEqual([
      'packets of 60000 bytes crossed an underlay that takes none so large',
    ]);
    expect(deviations(shown({ packetBytes: 1514 }), CARRIED, SUPERFRAMES, B_TCP)).toEqual([]);
  });

  it('fails when tunnel GSO was not used, or used where it was to be off', () => {
    const used: Expectation = { superframes: true, tunnelGso: true };
    const off: Expectation = { superframes: true, tunnelGso: false };
    expect(deviations(shown({ superframes: 7 }), CARRIED, used, A_TCP)).toEqual([]);
    expect(deviations(shown({ superframes: 0 }), CARRIED, used, A_TCP)).toEqual([
      '0 superframes left by tunnel GSO, which was to be used',
    ]);
    expect(deviations(shown({ superframes: 7 }), CARRIED, off, A_TCP)).toEqual([
      '7 superframes left by tunnel GSO, which was to be off',
    ]);
    expect(deviations(shown({ superframes: 0, packetBytes: 1500 }), CARRIED, used, B_TCP)).toEqual([]);
  });

  it('judges offloads by TCP only, and by enough of it', () => {
    const few = shown({ packetBytes: 300 });
    expect(deviations(few, CARRIED, SUPERFRAMES, { plain: false, isTcp: false })).toEqual([]);
    expect(deviations(few, { there: 9e6, back: 9e6 }, SUPERFRAMES, A_TCP)).toEqual([]);
  });
});
