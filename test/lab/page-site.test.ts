/** What the live page shows of a lab, and where it may send: the switches are stood in for. */
import { describe, expect, it } from 'vitest';
import type { LinkRow } from '../../src/api/api.js';
import { sendIntoLab, siteOf } from '../../src/lab/page-site.js';
import type { SwitchClient } from '../../src/lab/setup/environment.js';
import type { LabState } from '../../src/lab/setup/state.js';
import type { Topology } from '../../src/lab/setup/topology.js';

const STATE: LabState = {
  lab: 'a-lab',
  namespaces: ['lab-h1', 'lab-g1'],
  switches: ['h1', 'h2'].map((host) => ({
    host,
    netns: `lab-${host}`,
    pid: 4242,
    config: `/x/${host}.yaml`,
    socket: `/x/${host}.sock`,
    log: `/x/${host}.log`,
  })),
  machines: [],
  daemons: [],
};

const TOPOLOGY: Topology = {
  hosts: [],
  stations: [
    { name: 'alice', netns: 'lab-g1', ifname: 'eth0', address: '10.0.0.1', host: 'h1', mac: '02:00:00:00:00:01' },
    { name: 'bob', netns: 'lab-g2', ifname: 'eth0', address: '10.0.0.2', host: 'h2', mac: '02:00:00:00:00:02' },
  ],
};

const row = (more: Partial<LinkRow> & { ifname: string }): LinkRow => ({
  type: 'tap',
  operstate: 'UP',
  mtu: 1450,
  ...more,
});
const LINKS: LinkRow[] = [
  row({ ifname: 'tap1', netns: 'lab-g1', nic: 'eth0' }),
  row({ ifname: 'other', netns: 'somewhere-else', nic: 'eth0' }),
  row({ ifname: 'own', nic: 'eth9' }),
  row({ ifname: 'vxlan0', type: 'vxlan' }),
];

/** The first switch answers, the second one does not. */
const connect = (socket: string): SwitchClient =>
  ({
    get: async () => {
      if (socket !== '/x/h1.sock') throw new Error('no switch answers');
      return LINKS;
    },
  }) as unknown as SwitchClient;

describe('a lab on the page', () => {
  it('has its switches, and guests by the NICs of ports; a switch that is silent has none', async () => {
    expect(await siteOf(STATE, TOPOLOGY, { connect })).toEqual({
      switches: [
        { name: 'h1', socket: '/x/h1.sock' },
        { name: 'h2', socket: '/x/h2.sock' },
      ],
      guests: [{ name: 'alice', switch: 'h1', port: 'tap1', mac: '02:00:00:00:00:01', addresses: ['10.0.0.1'] }],
    });
  });

  it.each([
    ['another namespace', 'h1', 'other'],
    ["the host's own namespace", 'h1', 'own'],
    ['a tunnel', 'h1', 'vxlan0'],
    ['no port', 'h1', 'constructor'],
    ['no switch of the lab', 'h9', 'tap1'],
  ])('sends nothing into %s', async (_what, sw, port) => {
    for (const by of ['nic', 'switch'] as const) {
      const sent = sendIntoLab(STATE, TOPOLOGY, { connect, by }, { switch: sw, port }, new Uint8Array(60), 1);
      await expect(sent).rejects.toThrow(`lab a-lab has no guest at port ${port} of ${sw}`);
    }
  });

  it('sends by the switch where the namespaces are out of reach', async () => {
    const posted: unknown[] = [];
    const asked = (socket: string): SwitchClient =>
      ({
        ...connect(socket),
        post: async (...request: unknown[]) => posted.push([socket, ...request]),
      }) as SwitchClient;
    const at = { switch: 'h1', port: 'tap1' };
    await sendIntoLab(STATE, TOPOLOGY, { connect: asked, by: 'switch' }, at, Uint8Array.of(1, 255), 2);
    const one = ['/x/h1.sock', '/v1/trace', { port: 'tap1', frame: '01ff', apply: true }];
    expect(posted).toEqual([one, one]);
  });
});
