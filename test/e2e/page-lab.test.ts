/** The live page of a lab of one's own, without a browser: `lab up FILE --page`, a frame sent into a guest's port, and its trace. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StatsAnswer } from '../../src/api/api.js';
import { createClient } from '../../src/client/client.js';
import { must, Program } from '../../src/lab/testbed/program.js';
import { until } from '../../src/lab/testbed/wait.js';
import { OVERTAP, overtap } from './switch.js';

const NAME = `pg${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), 'overtap-page-lab-'));
let up: Program | undefined;
let url: URL;

beforeAll(async () => {
  await must(['sh', '-c', `cd ${folder} && exec ${process.execPath} ${OVERTAP} lab new ${NAME}`]);
  up = new Program([process.execPath, OVERTAP, 'lab', 'up', join(folder, `${NAME}.yaml`), '--page']);
  url = new URL(await up.line('the address of the page', (line) => line.startsWith('http://')));
});

afterAll(async () => {
  await up?.stop('SIGINT');
  await overtap('lab', 'down', NAME);
  rmSync(folder, { recursive: true, force: true });
});

const post = (path: string, body: unknown): Promise<Response> =>
  fetch(new URL(`${path}${url.search}`, url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url.origin },
    body: JSON.stringify(body),
  });

const stats = (host: string): Promise<StatsAnswer> =>
  createClient(`/run/overtap-lab/${NAME}/${host}.sock`).get('/v1/stats');

it('a description is sent by the NIC of a guest, and crosses to the other switch', async () => {
  const frame = 'src 02:00:00:00:01:02 dst broadcast type 0x88b5 len 50';
  const before = await stats('h2');
  const sent = await post('/send', { switch: 'h1', port: 'carol', frame, count: 7 });
  expect([sent.status, await sent.json()]).toEqual([200, { sent: 7, bytes: 64 }]);
  const came = ({ links }: StatsAnswer): number => links.vxlan0.vnis?.['20']?.rx_packets ?? 0;
  await until('all have come', async () => came(await stats('h2')) >= came(before) + 7);
});

it('a trace goes on at the next switch by itself', async () => {
  const asked = { switch: 'h1', port: 'carol', frame: 'src 02:00:00:00:01:02 dst broadcast type 0x88b5' };
  const trace = await (await post('/trace', asked)).json();
  expect(trace).toMatchObject({
    verdict: 'flooded',
    copies: [{ port: 'vxlan0', vni: 20, verdict: 'sent', peer: { switch: 'h2', trace: { port: 'vxlan0', vlan: 20 } } }],
  });
});

it('nothing is sent into a tunnel, or without a guest', async () => {
  const refused = await post('/send', { switch: 'h1', port: 'vxlan0', frame: '00'.repeat(60), count: 1 });
  expect([refused.status, await refused.json()]).toEqual([409, { error: expect.stringContaining('no guest at port') }]);
});
