import { describe, expect, it } from 'vitest';
import { judge, lower, machineKey, medians } from '../../src/bench/micro/guard.js';

describe('the guard of the turn', () => {
  it('allows five per cent above what is recorded, and calls more slower', () => {
    expect(judge({ a: 10.49, b: 10.51, c: 1, d: 3 }, { a: 10, b: 10, c: 2 })).toEqual([
      { turn: 'a', ratio: 10.49, recorded: 10, isSlower: false },
      { turn: 'b', ratio: 10.51, recorded: 10, isSlower: true },
      { turn: 'c', ratio: 1, recorded: 2, isSlower: false },
      { turn: 'd', ratio: 3, recorded: null, isSlower: false },
    ]);
  });

  it('judges nothing on a machine of which nothing is recorded', () => {
    expect(judge({ a: 99 }, undefined)).toEqual([{ turn: 'a', ratio: 99, recorded: null, isSlower: false }]);
  });

  it('takes the middle of a look, and the lower of two looks, for each turn on its own', () => {
    expect(
      medians([
        { a: 3, b: 1 },
        { a: 1, b: 9 },
        { a: 2, b: 5 },
      ]),
    ).toEqual({ a: 2, b: 5 });
    expect(lower({ a: 2, b: 5 }, { a: 3, b: 4 })).toEqual({ a: 2, b: 4 });
  });

  it('knows a machine by the numbers of its processor and by Node', () => {
    const cpuinfo =
      'processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nstepping\t: 1\ncache size\t: 512 KB\n\nprocessor\t: 1\n';
    expect(machineKey(cpuinfo, 'x64', 'v20.20.2')).toBe(
      'x64, AuthenticAMD, cpu family 25, model 1, stepping 1, cache size 512 KB, Node v20.20.2',
    );
    expect(machineKey('', 'arm64', 'v24.1.0')).toBe(
      'arm64, ?, cpu family ?, model ?, stepping ?, cache size ?, Node v24.1.0',
    );
  });
});
