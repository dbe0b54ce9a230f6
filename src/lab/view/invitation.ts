/** What `lab up` prints at its end: who is there, a drawing, and five things to try. Each command works as it is printed. */
import { existsSync } from 'node:fs';
import type { Lab } from '../lab.js';
import type { LabState } from '../setup/state.js';
import type { PlainHost, Station } from '../setup/topology.js';
import { logPath } from '../vm/virtual-machine.js';
import { drawingOf } from './drawing.js';

/** Programs that answer "is it there?" in a guest, which sees the files of this machine. */
const PINGS = [
  ['/usr/bin/ping', 'ping'],
  ['/bin/ping', 'ping'],
  ['/usr/bin/busybox', 'busybox ping'],
  ['/bin/busybox', 'busybox ping'],
] as const;

export function invitation(lab: Lab, state: LabState): string[] {
  const drawing = lab.file?.drawing?.trimEnd().split('\n') ?? drawingOf(lab.topology);
  return [
    '',
    `lab ${lab.name} is up: ${lab.summary}`,
    '',
    ...drawing,
    '',
    ...guestLines(lab.topology.stations),
    ...plainLines(lab.topology.plainHosts),
    lab.topology.plainHosts === undefined ? 'Each host runs one switch:' : 'Each other host runs one switch:',
    ...state.switches.flatMap(({ host, config, log, socket }) => [
      `  ${host}  configuration ${config}`,
      `      log ${log}`,
      `      control socket ${socket}`,
    ]),
    'Things to try:',
    ...thingsToTry(lab, state).map((command) => `  ${command}`),
    'To check it, to draw it, and to take it down:',
    `  overtap lab check ${lab.name}`,
    `  overtap lab graph ${lab.name} > ${lab.name}.svg`,
    `  overtap lab down ${lab.name}`,
  ];
}

function plainLines(hosts: readonly PlainHost[] = []): string[] {
  return hosts.map(({ name, what }) => `Host ${name} runs ${what}.`);
}

function guestLines(stations: readonly Station[]): string[] {
  if (stations.length === 0) return [];
  const width = Math.max(...stations.map(({ name }) => name.length));
  const line = ({ name, address, address6, prefix = 24, ifname, host, mac }: Station): string => {
    const more = address6 === undefined ? '' : `, ${address6}`;
    return `  ${name.padEnd(width)}  ${address}/${prefix}${more} on ${ifname} (${mac}), at ${host}`;
  };
  return ['Guests:', ...stations.map(line)];
}

/** Five commands. */
export function thingsToTry(lab: Lab, state: LabState): string[] {
  const [from, ...others] = lab.topology.stations;
  const first = state.switches.find(({ host }) => host === from?.host) ?? state.switches[0];
  if (first === undefined) return [];
  const shell = (guest: Station): string => `overtap lab shell ${guest.name} --lab ${lab.name} -- `;
  const to = others.find((one) => sharesSubnet(from, one)) ?? others[0];
  const ping = PINGS.find(([path]) => existsSync(path))?.[1];
  const first3 =
    from === undefined
      ? []
      : [
          ping === undefined || to === undefined
            ? `${shell(from)}ip -brief address`
            : `${shell(from)}${ping} -c 3 ${to.address}`,
          `${shell(from)}ip neigh`,
        ];
  const weather = state.weather === undefined ? [] : [`overtap lab weather --lab ${lab.name}`];
  const consoles = state.machines.map(
    ({ name, folder }) => `tail -n 20 ${logPath(folder)}    # the console of ${name}`,
  );
  const looks = ['fdb show', 'stats', 'vlan show', 'link show'].map((words) => `overtap -s ${first.socket} ${words}`);
  return [...first3, ...weather, ...looks].slice(0, 5).concat(consoles);
}

const sharesSubnet = (one: Station | undefined, other: Station): boolean =>
  one !== undefined && one.address.replace(/\d+$/, '') === other.address.replace(/\d+$/, '');
