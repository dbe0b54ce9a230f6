/** Descriptors from the program that started the switch, by number and by name (sd_listen_fds(3)). */
import { describe, expect, it } from 'vitest';
import { Inherited } from '../../../src/control/devices/inherited.js';

const PID = 77;
const of = (fds: string, names?: string, pid = '77'): Inherited =>
  new Inherited({ LISTEN_FDS: fds, LISTEN_PID: pid, ...(names === undefined ? {} : { LISTEN_FDNAMES: names }) }, PID);

describe('inherited descriptors', () => {
  it('are taken by number, whatever the environment says', () => {
    expect(new Inherited({}, PID).take(5, 'p1')).toBe(5);
    expect(of('1', 'a').take(9, 'p1')).toBe(9);
  });

  it('are taken by the names in the order of the numbers from 3 on', () => {
    const inherited = of('3', 'a:b:c');
    expect([inherited.take('c', 'p3'), inherited.take('a', 'p1'), inherited.take('b', 'p2')]).toEqual([5, 3, 4]);
  });

  it.each([
    ['of another process', of('1', 'a', '78'), /not given a descriptor named "a".*FileDescriptorName=/],
    ['of none', new Inherited({}, PID), /not given a descriptor named "a"/],
    ['of no number', of('x', 'a'), /not given a descriptor named "a"/],
    ['of other names', of('2', 'b:c'), /not given a descriptor named "a".*; it has "b", "c"$/],
    ['without a name', of('1'), /it has "unknown"/],
    ['of two with one name', of('2', 'a:a'), /2 descriptors are named "a"/],
    ['more than there are names', of('100000000', 'b'), /it has "b", "unknown"/],
    ['that are many', of('9', 'b:c:d:e:f:g:h:i:j'), /"h", "i" and 1 more$/],
    ['with a line break', of('1', 'b\n\u001b[2J'), /it has "b\\n\\u001b\[2J"$/],
  ])('names %s are refused', (_what, inherited, message) => {
    expect(() => inherited.take('a', 'p1')).toThrow(message);
  });

  it('belong to one port, by name or by number', () => {
    const inherited = of('1', 'a');
    expect(inherited.take('a', 'p1')).toBe(3);
    expect(inherited.take(3, 'p1')).toBe(3);
    expect(() => inherited.take(3, 'p2')).toThrow('port p1 has descriptor 3 already');
  });

  it('cannot be taken once the switch runs', () => {
    const inherited = of('1', 'a');
    inherited.end();
    for (const fd of ['a', 3]) expect(() => inherited.take(fd, 'p1')).toThrow(/only when the switch starts/);
  });
});
