/** What is for a dead remote goes elsewhere: flood lists, entries, nexthop groups, multicast MACs; and comes back. */
import { afterEach, expect, it } from 'vitest';
import { Transition } from '../../../src/control/model/transition.js';
import type { VxlanPort } from '../../../src/control/model/model.js';
import { Console } from '../../conformance/support/console.js';

const GUEST = '02:00:00:00:00:01';
const [PLAIN, GROUPED, LEARNED, UNKNOWN] = [1, 2, 3, 4].map((last) => `02:00:00:00:09:0${last}`);
const PIN = '01:00:5e:00:00:77';
const A = '192.0.2.1';
const B = '192.0.2.2';
const C = '192.0.2.3';

let sw: Console | undefined;

afterEach(() => {
  sw?.stop();
  sw = undefined;
});

async function start(more: Record<string, unknown> = {}): Promise<Console> {
  const vx = { type: 'vxlan', id: 5, local: '192.0.2.100', remotes: [A, B], peers: [C], bfd: 'single-hop', ...more };
  sw = await Console.start({ bridges: { br0: { ports: { t1: { type: 'tap' }, vx } } } });
  await sw.run(`
    nexthop add id 1 via ${A} fdb
    nexthop add id 2 via ${B} fdb
    nexthop add id 10 group 1/2 fdb
    fdb add ${PLAIN} dev vx dst ${A} self static
    fdb add ${GROUPED} dev vx nhid 10 self static
    fdb append ${PIN} dev vx dst ${A} self
    fdb append ${PIN} dev vx dst ${B} self`);
  sw.arrive('vx', A, 5, LEARNED, GUEST);
  sw.turn();
  return sw;
}

async function setDead(...dead: string[]): Promise<void> {
  const { live } = sw as Console;
  const port = live.model.ports.get('vx') as VxlanPort;
  await live.controls.own(() => {
    const change = new Transition();
    live.reconciler.setDead(port, new Set(dead), change);
    return change;
  });
}

/** Remotes that a frame goes to. */
const to = (mac: string): string[] =>
  (sw as Console)
    .send('t1', GUEST, mac)
    .map((place) => place.replace(/^vx>([\d.]+):4789.*/, '$1'))
    .sort();

it('goes to the rest of the flood list, and to the other members of a group', async () => {
  await start();
  expect(to(PLAIN)).toEqual([A]);
  expect(to(LEARNED)).toEqual([A]);
  expect(to(UNKNOWN)).toEqual([A, B]);
  await setDead(A);
  expect(to(PLAIN)).toEqual([B]);
  expect(to(GROUPED)).toEqual([B]);
  expect(to(LEARNED)).toEqual([B]);
  expect(to(UNKNOWN)).toEqual([B]);
  expect(to(PIN)).toEqual([B]);
  await setDead();
  expect(to(PLAIN)).toEqual([A]);
  expect(to(UNKNOWN)).toEqual([A, B]);
  expect(to(PIN)).toEqual([A, B]);
});

it('of its own goes to `bfd_backup`, as long as that one is alive', async () => {
  await start({ bfd_backup: C });
  await setDead(A);
  expect(to(PLAIN)).toEqual([C]);
  expect(to(GROUPED)).toEqual([B]);
  expect(to(UNKNOWN)).toEqual([B, C]);
  await setDead(A, B);
  expect(to(PLAIN)).toEqual([C]);
  expect(to(GROUPED)).toEqual([C]);
  expect(to(UNKNOWN)).toEqual([C]);
  await setDead(A, C);
  expect(to(PLAIN)).toEqual([B]);
  await setDead(A, B, C);
  for (const mac of [PLAIN, GROUPED, UNKNOWN]) expect(to(mac)).toEqual([]);
});

it('is so for entries and groups that come later', async () => {
  const { run } = await start();
  await setDead(A);
  const late = '02:00:00:00:09:05';
  await run.call(sw, `fdb add ${late} dev vx dst ${A} self static\nnexthop add id 11 group 1/2 fdb`);
  await run.call(sw, `fdb replace ${GROUPED} dev vx nhid 11 self static`);
  expect(to(late)).toEqual([B]);
  expect(to(GROUPED)).toEqual([B]);
});
