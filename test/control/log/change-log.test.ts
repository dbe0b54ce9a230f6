import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChangeRequest } from '../../../src/api/api.js';
import { ChangeLog } from '../../../src/control/log/change-log.js';
import type { Logger } from '../../../src/control/log/logger.js';
import { requestText } from '../../../src/control/plan/request-text.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function scene(): { changes: ChangeLog; lines: [object, string][]; add(by?: string, refused?: string): void } {
  const lines: [object, string][] = [];
  const info = (facts: object, message: string): void => void lines.push([facts, message]);
  const changes = new ChangeLog({ info, isLevelEnabled: () => true } as unknown as Logger);
  const add = (by = 'uid 0', refused?: string): void =>
    changes.note({ by, verb: 'fdb add', command: () => 'fdb add X', ...(refused === undefined ? {} : { refused }) });
  return { changes, lines, add };
}

describe('the log of changes', () => {
  it('has a line for each, with the reason of one that was refused', () => {
    const { changes, lines, add } = scene();
    add();
    add('uid 1', 'Cannot find device "tap9"');
    changes.stop();
    expect(lines).toEqual([
      [{ by: 'uid 0', change: 'fdb add X' }, 'changed'],
      [{ by: 'uid 1', change: 'fdb add X', reason: 'Cannot find device "tap9"' }, 'change refused'],
    ]);
  });

  it('counts what comes too fast, each change once', () => {
    const { changes, lines, add } = scene();
    for (let i = 0; i < 10_000; i++) add('uid 0', i % 10 === 0 ? 'no' : undefined);
    expect(lines).toHaveLength(100);
    vi.advanceTimersByTime(1000);
    expect(lines.slice(100)).toEqual([
      [{ by: 'uid 0', change: 'fdb add', done: 8910, refused: 990 }, 'further changes'],
    ]);
    for (let i = 0; i < 11; i++) add();
    expect(lines).toHaveLength(111);
    changes.stop();
    expect(lines.at(-1)).toEqual([{ by: 'uid 0', change: 'fdb add', done: 1, refused: 0 }, 'further changes']);
  });

  it('keeps little of however many ask', () => {
    const { changes, lines, add } = scene();
    for (let i = 0; i < 1100; i++) add(`pid ${i}`);
    changes.stop();
    expect(lines).toHaveLength(100 + 33);
    expect(lines.at(-1)).toEqual([{ by: 'others', change: 'others', done: 968, refused: 0 }, 'further changes']);
  });
});

describe('a request as a command', () => {
  const mac = '02:00:00:00:00:01';
  const cases: [ChangeRequest, string][] = [
    [
      { kind: 'link', request: { op: 'add', name: 'tap1', type: 'tap', master: 'br0', options: { netns: 'a b' } } },
      "link add tap1 master br0 type tap netns 'a b'",
    ],
    [
      { kind: 'link', request: { op: 'set', name: 'br0', options: { ageing_time: 60 } } },
      'link set br0 type bridge ageing_time 60',
    ],
    [{ kind: 'link', request: { op: 'set', name: 'br0', master: null } }, 'link set br0 nomaster'],
    [{ kind: 'link', request: { op: 'del', name: 'tap1' } }, 'link del tap1'],
    [{ kind: 'link', request: { op: 'set', name: 'tap9' } }, 'link set {"op":"set","name":"tap9"}'],
    [
      {
        kind: 'fdb',
        request: { op: 'append', mac, dev: 'vx', dst: '192.0.2.3', vni: 2, state: 'static', sticky: true },
      },
      `fdb append ${mac} dev vx dst 192.0.2.3 src_vni 2 static sticky`,
    ],
    [
      { kind: 'fdb', request: { op: 'append', mac, dev: 'vx', dst: '192.0.2.3', src_vni: 3 } },
      `fdb append ${mac} dev vx dst 192.0.2.3 src_vni 3`,
    ],
    [
      { kind: 'fdb', request: { op: 'append', mac, dev: 'vx', dst: '192.0.2.3', src_vni: 3, vni: 4 } },
      `fdb append ${mac} dev vx dst 192.0.2.3 src_vni 3 vni 4`,
    ],
    [
      { kind: 'fdb', request: { op: 'flush', br: 'br0', state: ['static', 'dynamic'] } },
      'fdb flush br br0 state static state dynamic',
    ],
    [
      { kind: 'vlan', request: { op: 'add', dev: 'tap1', vid: 2, vidEnd: 9, pvid: false, untagged: true } },
      'vlan add dev tap1 vid 2-9 untagged',
    ],
    [
      {
        kind: 'neigh',
        request: { op: 'add', dst: '198.18.0.3', lladdr: mac, dev: 'vx', vlan: 10, router: true, state: 'stale' },
      },
      `neigh add 198.18.0.3 lladdr ${mac} dev vx vlan 10 nud stale router`,
    ],
    [
      { kind: 'mdb', request: { op: 'del', dev: 'br0', port: 'vx', grp: '239.1.1.1', dst: '192.0.2.3' } },
      'mdb del dev br0 port vx grp 239.1.1.1 dst 192.0.2.3',
    ],
  ];

  it.each(cases)('%j', (change, text) => {
    expect(requestText(change, (name) => (name === 'br0' ? 'bridge' : undefined))).toBe(text);
  });

  it('is short, whatever was asked for', () => {
    const remotes = Array.from({ length: 1000 }, (_, i) => `192.0.${i >> 8}.${i & 255}`);
    const change: ChangeRequest = {
      kind: 'link',
      request: { op: 'add', name: 'vx', type: 'vxlan', options: { remotes } },
    };
    expect(requestText(change, () => undefined).length).toBeLessThan(600);
  });
});
