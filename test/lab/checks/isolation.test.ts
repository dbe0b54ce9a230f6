import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Agent, startAgents } from '../../../src/lab/agents/agents.js';
import { Sniffer } from '../../../src/lab/capture/sniffer.js';
import type { Inspection } from '../../../src/lab/checks/inspection.js';
import { neverMeet } from '../../../src/lab/checks/isolation.js';
import type { Station } from '../../../src/lab/setup/topology.js';
import {
  addAddress,
  addNamespace,
  addRoute,
  addVeth,
  deleteNamespace,
  deleteRoute,
} from '../../../src/lab/testbed/namespaces.js';
import { ETHERTYPE_IPV4, encodeEthernet } from '../../../src/wire/ethernet.js';
import { encodeIpv4, PROTOCOL_UDP } from '../../../src/wire/ipv4.js';
import { encodeUdp } from '../../../src/wire/udp.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { buildAgent, needRoot, PREFIX, removeFolder, temporaryFolder } from '../lab-support.js';

const FAR_MAC = '02:00:00:00:00:0b';
const folder = temporaryFolder();
let near: Station;
let far: Station;
let agents: Map<string, Agent>;
let undos: (() => Promise<void>)[] = [];

/** The parts of an inspection that the proof uses: agents and temporary changes. */
const inspection = {
  signal: new AbortController().signal,
  agent: (station: Station) => agents.get(station.netns),
  temporarily: async (setUp: () => Promise<void>, undo: () => Promise<void>) => {
    await setUp();
    undos.push(undo);
  },
  undoAll: async () => {
    for (let undo = undos.pop(); undo; undo = undos.pop()) await undo();
  },
} as unknown as Inspection;

const station = (name: string, address: string, mac: string): Station => ({
  name,
  netns: `${PREFIX}-s${name}`,
  ifname: 'eth0',
  address,
  host: 'h1',
  mac,
});

/** A capture with a frame from the near station to the far one in a VNI, or without frames. */
function wireWith(vni: number | null, destination = far.mac): Sniffer {
  const path = { source: near.address, destination: far.address };
  const payload = encodeUdp({ sourcePort: 1, destinationPort: 7, payload: new Uint8Array(8) }, path);
  const packet = encodeIpv4({ ...path, protocol: PROTOCOL_UDP, payload });
  const frame = encodeEthernet({
    destination,
    source: near.mac,
    etherType: ETHERTYPE_IPV4,
    payload: packet,
  });
  const frames = vni === null ? [] : [underlay(encodeVxlan(vni, frame))];
  return new Sniffer({ read: () => frames.shift() ?? null, close: () => {} }, 'underlay');
}

function underlay(payload: Uint8Array): Uint8Array {
  const path = { source: '192.0.2.1', destination: '192.0.2.2' };
  const datagram = encodeUdp({ sourcePort: 40000, destinationPort: 4789, payload }, path);
  const packet = encodeIpv4({ ...path, protocol: PROTOCOL_UDP, payload: datagram });
  return encodeEthernet({ destination: FAR_MAC, source: FAR_MAC, etherType: ETHERTYPE_IPV4, payload: packet });
}

beforeAll(async () => {
  needRoot();
  near = station('a', '10.9.0.1', '02:00:00:00:00:0a');
  far = station('b', '10.9.1.2', FAR_MAC);
  for (const { netns } of [near, far]) await addNamespace(netns);
  await addVeth(near, far);
  for (const one of [near, far]) await addAddress(one, `${one.address}/24`);
  agents = await startAgents([near.netns, far.netns], buildAgent(folder));
}, 30_000);

afterAll(async () => {
  for (const agent of agents?.values() ?? []) await agent.close();
  for (const { netns } of [near, far]) await deleteNamespace(netns);
  removeFolder(folder);
});

beforeEach(() => {
  undos = [];
});

const proof = (wire: Sniffer) => neverMeet(inspection, wire, [[near, far]], (_, seen) => seen.vni === 2);

test('it holds for separated stations whose probes were captured', async () => {
  // The static neighbour of `far` has a MAC that does not exist on this cable, so nothing arrives.
  expect(await proof(wireWith(2))).toMatchObject({ holds: true });
});

test('it fails when no probe was captured', async () => {
  expect(await proof(wireWith(null))).toMatchObject({
    holds: false,
    seen: expect.stringContaining('no probe seen on the wire'),
  });
});

test("it fails when a probe was carried outside its sender's segment", async () => {
  expect(await proof(wireWith(3))).toMatchObject({
    holds: false,
    seen: expect.stringContaining("outside their sender's segment"),
  });
});

test('it fails when a probe arrives; routes and neighbours are deleted afterwards', async () => {
  const { mac } = await (agents.get(far.netns) as Agent).ask('nic', { ifname: 'eth0' });
  await addRoute(far, '10.9.0.0/24');
  const met = { ...far, mac };
  const seen = await neverMeet(inspection, wireWith(2, mac), [[near, met]], () => true);
  // One of the two probes may arrive too late to be counted.
  expect(seen).toMatchObject({ holds: false, seen: expect.stringMatching(/[12] arrived, [012] answered/) });
  await deleteRoute(far, '10.9.0.0/24');
  const ask = { from: near.address, to: far.address, count: 1, timeoutMs: 50, untilLost: false };
  expect((await (agents.get(near.netns) as Agent).ask('ping', ask)).error).toContain('ENETUNREACH');
});

test('deleting a route that does not exist is no error', async () => {
  await deleteRoute(near, '10.9.8.0/24');
});
