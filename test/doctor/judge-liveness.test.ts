/** Findings of doctor on BFD sessions of remotes. */
import { expect, it } from 'vitest';
import type { LinkRow } from '../../src/api/api.js';
import { judgeLiveness } from '../../src/doctor/judge-liveness.js';

const judge = (...remotes: NonNullable<LinkRow['bfd_remotes']>) =>
  judgeLiveness([{ ifname: 'vx0', bfd_remotes: remotes } as unknown as LinkRow]);

it('says nothing of ports without sessions', () => {
  expect(judge()).toEqual([]);
});

it('names a dead remote with the cause, and one whose session has never come up', () => {
  expect(
    judge(
      { address: '192.0.2.1', state: 'up', session: 'up', diag: 0 },
      { address: '192.0.2.2', state: 'down', session: 'down', diag: 1 },
      { address: '192.0.2.3', state: 'unknown', session: 'down', diag: 0 },
    ),
  ).toMatchObject([
    { subject: 'vx0 192.0.2.2', finding: expect.stringContaining('nothing was heard of it for the detection time') },
    { subject: 'vx0 192.0.2.3', finding: expect.stringContaining('never come up') },
    { subject: 'vx0 BFD', finding: '1 of 3 remotes are up' },
  ]);
});

it('names a remote that alternates, and for how long it has to stay up', () => {
  const [check] = judge({ address: '192.0.2.2', state: 'down', session: 'up', diag: 0, flaps: 5, damped: 4000 });
  expect(check).toMatchObject({ level: 'fail', subject: 'vx0 192.0.2.2' });
  expect(check?.finding).toContain(
    'alternates between up and down (5 times lately): it is used again when it has been up for 4 s',
  );
});

it('leaves alone a remote that has closed its session on purpose', () => {
  expect(
    judge({ address: '192.0.2.2', state: 'unknown', session: 'down', remote_session: 'admin_down' }),
  ).toMatchObject([{ subject: 'vx0 BFD' }]);
});
