/** A route to a remote that leads into the switch is reported once for each cause, and again when it recurs. */
import { expect, it } from 'vitest';
import { type OwnTunnelNotice, OwnTunnelNotices } from '../../../src/control/events/own-tunnel-notices.js';
import type { Port } from '../../../src/control/model/model.js';

const port = (name: string, bridge?: string): Port => ({ name, bridge: bridge ? { name: bridge } : null }) as Port;

it('is said once as long as it lasts, for each port and remote, and anew after a minute without', () => {
  const said: OwnTunnelNotice[] = [];
  let now = 0;
  const notices = new OwnTunnelNotices(
    (notice) => said.push(notice),
    () => now,
  );
  const br0 = port('br0', 'br0');
  for (; now < 600_000; now += 100) notices.meet(br0, '192.0.2.2');
  expect(said).toEqual([{ port: 'br0', bridge: 'br0', remote: '192.0.2.2' }]);
  notices.meet(br0, '192.0.2.3');
  notices.meet(port('tap1'), '192.0.2.2');
  expect(said.slice(1)).toEqual([
    { port: 'br0', bridge: 'br0', remote: '192.0.2.3' },
    { port: 'tap1', bridge: undefined, remote: '192.0.2.2' },
  ]);
  now += 59_000;
  notices.meet(br0, '192.0.2.3');
  expect(said).toHaveLength(3);
  now += 60_000;
  notices.meet(br0, '192.0.2.3');
  expect(said).toHaveLength(4);
});

it('keeps a bounded number of causes in mind', () => {
  let said = 0;
  const notices = new OwnTunnelNotices(
    () => said++,
    () => 0,
  );
  for (let i = 0; i < 5000; i++) notices.meet(port('br0'), `10.0.${i >> 8}.${i & 255}`);
  notices.meet(port('br0'), '10.0.19.135');
  expect(said).toBe(5000);
  notices.meet(port('br0'), '10.0.0.0');
  expect(said).toBe(5001);
});
