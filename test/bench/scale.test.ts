import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { hostsOf, placeOf, vnisOf } from '../../src/bench/scale/fabric.js';

const run = promisify(execFile);

it('has each MAC on a host that has its VNI, and moves it to another one', () => {
  const fabric = { hosts: 7, vnis: 10, macs: 500, spread: 3 };
  for (let mac = 0; mac < fabric.macs; mac++) {
    const { vni, host } = placeOf(fabric, mac);
    expect(hostsOf(fabric, vni)).toHaveLength(3);
    expect(vnisOf(fabric, host)).toContain(vni);
    expect(placeOf(fabric, mac, 1)).toMatchObject({ vni });
    expect(placeOf(fabric, mac, 1).host).not.toBe(host);
  }
});

it('converges in a small fabric with real sessions: cold, moves, graceful and hard restart of the reflector', async () => {
  const script = ['--expose-gc', 'dist/bench/scale/run.js', '--quick', '--json'];
  const { stdout } = await run(process.execPath, script, { timeout: 50_000 });
  const { edges, wholes } = JSON.parse(stdout);
  expect(edges).toMatchObject([{ hosts: 4, routes: 169, entries: 107, floodRows: 16, gracefulChanges: 0 }]);
  const [{ phases, routesPerHost }] = wholes;
  expect(routesPerHost).toBe(169);
  const changes = phases.map((phase: { changesPerHost: number }) => phase.changesPerHost);
  // A graceful restart changes nothing; a hard one takes all rows back and puts them in again.
  expect(changes).toEqual([115, 2, 0, 230]);
});
