import { expect, it } from 'vitest';
import type { NetdevFacts } from '../../src/doctor/device-facts.js';
import { judgeNetdev } from '../../src/doctor/judge-netdev.js';
import type { NetdevPlan } from '../../src/doctor/plan.js';
import { expectRemedies, shown } from './check-lines.js';

const PORT: NetdevPlan = { name: 'lan', ifname: 'eth1', host: false, force: false, up: true };
const THERE = { state: 'there', up: true, mtu: 1500 } as const;

function judged(port: Partial<NetdevPlan>, facts?: NetdevFacts): string[] {
  const checks = judgeNetdev({ ...PORT, ...port }, facts);
  expectRemedies(checks);
  return shown(checks);
}

it('an interface that is there is all right', () => {
  expect(judged({}, { nic: THERE, routed: null, addresses: [] })).toEqual([
    "ok    lan interface eth1: up, MTU 1500, kept from the host's stack",
  ]);
  expect(judged({ host: true, netns: 'ns2', operstate: 'UP' }, { nic: THERE })).toEqual([
    'ok    lan interface eth1 in ns2: up, MTU 1500, the host keeps its traffic',
  ]);
  expect(judged({ operstate: 'UP' })).toEqual(["ok    lan interface eth1: kept from the host's stack"]);
});

it('the one of the default route is refused, unless the host keeps it or that was asked for twice', () => {
  const facts = { nic: THERE, routed: 'bond0', addresses: ['192.0.2.9'] };
  expect(judged({}, facts).slice(0, 2)).toEqual([
    'FAIL  lan interface eth1: carries the default route of this host (bond0): a switch refuses to cut it off; ' +
      'set host: true, or force: true to cut it off',
    'WARN  lan interface eth1: has the address 192.0.2.9, which nobody reaches as long as the switch runs; ' +
      "give it to the bridge's host port (host_port: true, addresses), or set host: true",
  ]);
  expect(judged({ force: true }, facts)[0]).toMatch(/^WARN .*cut off as long as the switch runs; set host: true/);
  expect(judged({ host: true }, facts)).toHaveLength(1);
});

it.each<[string, Partial<NetdevPlan>, NetdevFacts | undefined, RegExp]>([
  ['absent', {}, { nic: { state: 'gone' } }, /^FAIL .*there is no such interface; make it/],
  ['without its namespace', { netns: 'x' }, { nic: { state: 'no-netns' } }, /^FAIL .*namespace does not exist/],
  ['unreadable', {}, { nic: { state: 'hidden', reason: 'EPERM' } }, /^WARN .*cannot be looked at: EPERM/],
  ['down', {}, { nic: { ...THERE, up: false } }, /^FAIL .*is down; ip link set eth1 up$/],
  ['down elsewhere', { netns: 'x' }, { nic: { ...THERE, up: false } }, /; ip -n x link set eth1 up$/],
  ['dark', { operstate: 'DOWN', fault: 'no carrier' }, { nic: THERE }, /^FAIL .*DOWN: no carrier; mend that/],
  ['shut', { operstate: 'DOWN', up: false }, { nic: THERE }, /^WARN .*set down; overtap link set lan up/],
])('one that is %s is reported', (_, port, facts, line) => {
  expect(judged(port, facts)).toEqual([expect.stringMatching(line)]);
});
