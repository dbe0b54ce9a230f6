/** `overtap drops`: the listing, and what comes while it follows. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DroppedFrame } from '../../src/api/api.js';
import { type FakeSwitch, fakeSwitch, overtap, routes, scratch } from './harness.js';

const row = (reason: string, number: number): DroppedFrame => ({
  time: '2026-01-02T03:04:05.678Z',
  port: 'tap1',
  direction: 'rx',
  reason,
  length: 60,
  frame: `02000000000202000000000188b5${'00'.repeat(46)}`,
  engine: 0,
  number,
});

const folder = scratch();
const rows: DroppedFrame[] = [row('no_pvid', 1), row('link_local', 1)];
let live: FakeSwitch;
beforeAll(async () => {
  live = await fakeSwitch(
    folder.file('switch.sock'),
    routes({ '/v1/drops': rows, '/v1/links': [{ ifname: 'tap1', type: 'tap', operstate: 'UP', mtu: 1450 }] }),
  );
});
afterAll(async () => {
  await live.close();
  folder.remove();
});
const ask = (...words: string[]) => overtap(['-s', live.socket, 'drops', ...words]);

describe('drops', () => {
  it('prints each frame with its reason in words, and the command that explains it', async () => {
    const { status, out } = await ask();
    expect(status).toBe(0);
    expect(out).toContain('from tap1: no_pvid\n');
    expect(out).toContain('Dropped: it has no VLAN tag');
    expect(out).toContain(`overtap trace tap1 ${rows[0].frame}\n`);
  });

  it('of one reason, as JSON', async () => {
    expect(JSON.parse((await ask('--reason', 'link_local', '--json')).out)).toEqual([rows[1]]);
    expect((await ask('--reason', 'same_port')).out).toBe('no frame was dropped as same_port\n');
  });

  it('knows the reasons', async () => {
    expect(await ask('--reason', 'no_pvit')).toEqual({
      status: 2,
      out: '',
      err: 'overtap: there is no drop reason "no_pvit"; did you mean "no_pvid"?\n',
    });
  });

  it('are the reasons, and ports those of the switch, in filters too: others would be waited for without a word', async () => {
    const log = (...words: string[]) => overtap(['-s', live.socket, 'log', ...words]);
    const err = 'overtap: there is no drop reason "no_pvit"; did you mean "no_pvid"?\n';
    expect(await log('reason', 'no_pvit')).toEqual({ status: 2, out: '', err });
    const unknown = { status: 1, out: '', err: 'overtap: Cannot find device "tap9"; "link show" lists all links\n' };
    expect(await log('port', 'tap1', 'port', 'tap9')).toEqual(unknown);
    const file = folder.file('x.pcapng');
    expect(await overtap(['-s', live.socket, 'capture', '-w', file, 'port', 'tap9'])).toEqual(unknown);
    expect(existsSync(file)).toBe(false);
  });

  it('follows: what comes, and how many were not kept, until it is interrupted', async () => {
    const end = new AbortController();
    const start = live.requests.length;
    const more = {
      interrupted: () => end.signal,
      onOutput: (out: string) => out.includes('"number":9') && end.abort(),
    };
    const running = overtap(['-s', live.socket, 'drops', '--follow', '--json'], {}, {}, more);
    while (live.requests.length === start) await new Promise((resolve) => setTimeout(resolve, 1));
    rows.push(row('no_pvid', 9));
    const { status, out } = await running;
    expect(status).toBe(0);
    expect(JSON.parse(out)).toEqual({ ...rows[2], missed: 7 });
  });
});
