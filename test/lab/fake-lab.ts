/** A lab of two or three hosts whose switches are small programs: they start, answer and end as the test tells them. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../../src/lab/lab.js';
import type { LabEnvironment } from '../../src/lab/setup/environment.js';
import type { Topology } from '../../src/lab/setup/topology.js';
import { PREFIX } from './lab-support.js';

/** Writes one line, creates the "socket" of a ready switch, and behaves by the `mode` of its configuration. */
const FAKE_SWITCH = `
import { readFileSync, writeFileSync } from 'node:fs';
const text = readFileSync(process.argv[process.argv.indexOf('-c') + 1], 'utf8');
const key = (name) => text.match(new RegExp('^' + name + ': (.*)$', 'm'))[1];
const config = text.startsWith('{') ? JSON.parse(text) : { name: key('name'), control: key('control') };
console.log('starting ' + config.name);
if (config.mode === 'fail') { console.log('cannot open the TAP'); process.exit(4); }
if (config.mode === 'stubborn') process.on('SIGTERM', () => {});
if (config.mode !== 'silent') writeFileSync(config.control, 'ready');
setInterval(() => {}, 1000);
`;

const LINKS = '[{ "ifname": "br0", "type": "bridge", "operstate": "UP", "mtu": 1450 }]';

/** How a switch behaves: `fail` ends at once, `silent` never answers, `stubborn` ignores SIGTERM. */
export type Mode = 'good' | 'fail' | 'silent' | 'stubborn';

/** Hosts h1, h2, ... on a veth pair or, if there are more than two, behind a router. */
export function topology(count: number): Topology {
  const hosts = Array.from({ length: count }, (_, i) => ({
    name: `h${i + 1}`,
    netns: `${PREFIX}-h${i + 1}`,
    address: `192.0.2.${i + 1}`,
  }));
  const station = { name: 'g', netns: `${PREFIX}-g`, ifname: 'eth0', address: '10.0.0.1', host: 'h1', mac: '' };
  const router = { netns: `${PREFIX}-net`, address: '192.0.2.254' };
  return count > 2 ? { hosts, stations: [station], router } : { hosts, stations: [station] };
}

/** A lab with this number of hosts. @param modes of their switches, in order; default `good` */
export function fakeLab(modes: readonly Mode[] = [], count = 2): Lab {
  return {
    name: 'fake',
    summary: 'for tests',
    topology: topology(count),
    config: (host, files) =>
      JSON.stringify({ name: host.name, control: files.socket, mode: modes[Number(host.name.slice(1)) - 1] ?? 'good' }),
    check: async () => {},
  };
}

/** Writes the program into the folder. @returns an environment that runs it as the switch */
export function fakeEnvironment(folder: string): LabEnvironment {
  const program = join(folder, 'fake-switch.mjs');
  writeFileSync(program, FAKE_SWITCH);
  return {
    root: join(folder, 'lab'),
    switchCommand: [process.execPath, program],
    image: async () => ({ kernel: '/kernel', initrd: '/initrd', version: '6.1' }),
    connect: (socket) => ({
      get: async (path) => {
        if (!existsSync(socket)) throw new Error('not yet');
        return JSON.parse(path === '/v1/links' ? LINKS : '{}');
      },
      post: async () => {
        throw new Error('the test expects no changes');
      },
      // biome-ignore lint/correctness/useYield: the test expects no listener
      events: async function* () {
        throw new Error('the test expects no listener');
      },
    }),
  };
}
