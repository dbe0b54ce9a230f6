/** Entries and VNIs that wait for a VLAN: which of them a flush takes, and how many there may be. */
import { expect, test } from 'vitest';
import type { FdbPut } from '../../src/api/api.js';
import { Waiting } from '../../src/exec/waiting.js';

const entry = (last: number, more: Partial<FdbPut> = {}): FdbPut => ({
  op: 'add',
  mac: `02:00:00:00:00:${String(last).padStart(2, '0')}`,
  dev: 'vx0',
  dst: '192.0.2.1',
  src_vni: 110,
  ...more,
});

function filled(): Waiting {
  const waiting = new Waiting();
  waiting.put(entry(1));
  waiting.put(entry(2, { src_vni: 111, vni: 210 }));
  waiting.put(entry(3, { dst: '192.0.2.2', port: 4790 }));
  waiting.put(entry(4, { state: 'static', router: true }));
  waiting.put(entry(5, { dev: 'vx1' }));
  return waiting;
}

const left = (waiting: Waiting): string[] => waiting.rows().map(({ mac }) => mac.slice(-1));

test.each([
  [{ dev: 'vx0' }, '5'],
  [{ dev: 'vx0', src_vni: 110 }, '25'],
  [{ dev: 'vx0', vni: 210 }, '1345'],
  [{ dev: 'vx0', vni: 110 }, '25'],
  [{ dev: 'vx0', dst: '192.0.2.2' }, '1245'],
  [{ dev: 'vx0', port: 4790 }, '1245'],
  [{ dev: 'vx0', state: ['static' as const] }, '1235'],
  [{ dev: 'vx0', router: false }, '45'],
  [{ dev: 'vx0', router: true }, '1235'],
  [{ dev: 'vx0', nhid: 7 }, '12345'],
  [{ dev: 'vx0', offloaded: true }, '12345'],
  [{ dev: 'vx0', vlan: 10 }, '12345'],
  [{ br: 'br0' }, '12345'],
])('flush of %j leaves %s', (request, rest) => {
  const waiting = filled();
  waiting.flush({ op: 'flush', ...request });
  expect(left(waiting).join('')).toBe(rest);
});

test('a device that has gone takes its own along, and a mapped VNI what is of it', () => {
  const waiting = filled();
  waiting.forget('vx0');
  expect(left(waiting)).toEqual(['5']);
  expect(waiting.take('vx1', (vni) => vni === 110).entries).toEqual([entry(5, { dev: 'vx1' })]);
  expect(waiting.isEmpty).toBe(true);
  expect(waiting.loss).toBeUndefined();
});

test('no more than 65,536 wait', () => {
  const waiting = new Waiting();
  for (let vni = 1; vni <= 65_536; vni++) waiting.putVni({ dev: 'vx0', vni });
  expect(() => waiting.put(entry(1))).toThrow('65536 entries wait');
  // One that waits already may be changed.
  waiting.putVni({ dev: 'vx0', vni: 7, address: '192.0.2.1' });
  expect(waiting.delVni('vx0', 7)).toBe(true);
  expect(waiting.delVni('vx0', 7)).toBe(false);
  waiting.put(entry(1));
});

test('VNIs of two devices', () => {
  const waiting = new Waiting();
  waiting.putVni({ dev: 'vx0', vni: 5 });
  waiting.putVni({ dev: 'vx1', vni: 5, address: '192.0.2.1' });
  expect(waiting.holdersOf(5)).toEqual(['vx0', 'vx1']);
  expect(waiting.vnisOf('vx1')).toEqual([{ vni: 5, address: '192.0.2.1' }]);
  waiting.forget('vx0');
  expect(waiting.holdersOf(5)).toEqual(['vx1']);
  expect(waiting.take('vx1', () => true).vnis).toEqual([{ dev: 'vx1', vni: 5, address: '192.0.2.1' }]);
  expect(waiting.isEmpty).toBe(true);
});
