import { existsSync, readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Agent, startAgents } from '../../../src/lab/agents/agents.js';
import { addAddress, addNamespace, addVeth, deleteNamespace } from '../../../src/lab/testbed/namespaces.js';
import { becomesTrue } from '../../../src/lab/testbed/wait.js';
import { buildAgent, needRoot, PREFIX, removeFolder, temporaryFolder } from '../lab-support.js';

const LEFT = { netns: `${PREFIX}-l`, ifname: 'eth0', address: '10.9.0.1' };
const RIGHT = { netns: `${PREFIX}-r`, ifname: 'eth0', address: '10.9.0.2' };
const GROUP = '239.7.7.7';

const folder = temporaryFolder();
const agentFile = buildAgent(folder);
let left: Agent;
let right: Agent;

beforeAll(async () => {
  needRoot();
  for (const end of [LEFT, RIGHT]) await addNamespace(end.netns);
  await addVeth(LEFT, RIGHT);
  for (const end of [LEFT, RIGHT]) await addAddress(end, `${end.address}/24`);
  const agents = await startAgents([LEFT.netns, RIGHT.netns], agentFile);
  left = agents.get(LEFT.netns) as Agent;
  right = agents.get(RIGHT.netns) as Agent;
}, 30_000);

afterAll(async () => {
  await Promise.all([left?.close(), right?.close()]);
  for (const end of [LEFT, RIGHT]) await deleteNamespace(end.netns);
  removeFolder(folder);
});

describe('probes', () => {
  test('each probe is answered and counted at the other side', async () => {
    const before = (await right.ask('echoed', {})).bySource[LEFT.address] ?? 0;
    const ask = { from: LEFT.address, to: RIGHT.address, count: 4, timeoutMs: 2000, untilLost: false };
    const answer = await left.ask('ping', ask);
    expect(answer).toMatchObject({ sent: 4, received: 4, error: null });
    expect(answer.medianMs).toBeGreaterThan(0);
    expect((await right.ask('echoed', {})).bySource[LEFT.address]).toBe(before + 4);
  });

  test('an unused address gives no answer', async () => {
    const ask = { from: LEFT.address, to: '10.9.0.77', count: 1, timeoutMs: 100, untilLost: false };
    expect(await left.ask('ping', ask)).toMatchObject({ sent: 1, received: 0 });
  });

  test('with untilLost, the first probe without an answer is the last', async () => {
    const ask = { from: LEFT.address, to: '10.9.0.77', count: 5, timeoutMs: 50, untilLost: true };
    expect(await left.ask('ping', ask)).toMatchObject({ sent: 1, received: 0 });
    const answered = await left.ask('ping', { ...ask, to: RIGHT.address, timeoutMs: 2000 });
    expect(answered).toMatchObject({ sent: 5, received: 5 });
  });

  test('without a route, the error is the reason', async () => {
    const ask = { from: LEFT.address, to: '10.8.0.1', count: 1, timeoutMs: 100, untilLost: false };
    const answer = await left.ask('ping', ask);
    expect(answer.received).toBe(0);
    expect(answer.error).toContain('ENETUNREACH');
  });
});

describe('TCP', () => {
  test('both ends count and hash the same bytes', async () => {
    await right.ask('receiveTcp', { port: 5001, timeoutMs: 10_000 });
    const sent = await left.ask('sendTcp', { to: RIGHT.address, port: 5001, bytes: 1_000_001, timeoutMs: 10_000 });
    const got = await right.ask('receivedTcp', { port: 5001 });
    expect(got).toEqual({ bytes: 1_000_001, sha256: sent.sha256 });
    expect(sent.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test('a refused connection is reported', async () => {
    const ask = { to: RIGHT.address, port: 5999, bytes: 10, timeoutMs: 2000 };
    await expect(left.ask('sendTcp', ask)).rejects.toThrow(/ECONNREFUSED/);
  });

  test('a transfer that never starts ends by its time limit', async () => {
    await right.ask('receiveTcp', { port: 5002, timeoutMs: 100 });
    await expect(right.ask('receivedTcp', { port: 5002 })).rejects.toThrow(/did not end within/);
  });
});

describe('shouts', () => {
  const heardAll = async (tag: string, count: number): Promise<number[]> => {
    const times = async (): Promise<number[]> => (await right.ask('heard', { port: 4242, tag })).times;
    await becomesTrue(async () => (await times()).length >= count, { limitMs: 10_000 });
    return times();
  };

  test('broadcast, multicast and unicast are counted by number and tag', async () => {
    await right.ask('listen', { port: 4242, group: GROUP, at: RIGHT.address });
    const common = { from: LEFT.address, port: 4242, count: 3, intervalMs: 1 };
    await left.ask('shout', { ...common, to: '10.9.0.255', tag: 'b' });
    await left.ask('shout', { ...common, to: GROUP, tag: 'm' });
    await left.ask('shout', { ...common, to: RIGHT.address, tag: 'u' });
    for (const tag of ['b', 'm', 'u']) expect(await heardAll(tag, 3)).toEqual([1, 1, 1]);
    expect((await right.ask('heard', { port: 4242, tag: 'other' })).times).toEqual([]);
  });

  test('repeated numbers are counted twice', async () => {
    const ask = { from: LEFT.address, to: '10.9.0.255', port: 4242, tag: 'twice', count: 2, intervalMs: 1 };
    await left.ask('shout', ask);
    await left.ask('shout', { ...ask, count: 1 });
    await heardAll('twice', 2);
    const twice = async (): Promise<boolean> =>
      (await right.ask('heard', { port: 4242, tag: 'twice' })).times.join() === '2,1';
    expect(await becomesTrue(twice, { limitMs: 10_000 })).toBe(true);
  });
});

test('nic reads the NIC in the namespace of the agent', async () => {
  const { mtu, mac } = await left.ask('nic', { ifname: 'eth0' });
  expect(mtu).toBe(1500);
  expect(mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  await expect(left.ask('nic', { ifname: 'nothere' })).rejects.toThrow(/ENOENT/);
});

describe('life of an agent', () => {
  /** Children of this process in a namespace. */
  const pidsIn = (netns: string): string[] => {
    const own = process.pid.toString();
    const children = readFileSync(`/proc/${own}/task/${own}/children`, 'utf8').trim().split(/\s+/);
    return children.filter((pid) => pid !== '' && netnsOf(pid) === netnsOf('self', netns));
  };
  const netnsOf = (pid: string, named?: string): string => {
    const file = named === undefined ? `/proc/${pid}/ns/net` : `/run/netns/${named}`;
    return existsSync(file) ? String(statSync(file).ino) : `gone ${pid}`;
  };

  test('it ends when it is closed, and later requests fail', async () => {
    const agent = await Agent.start(LEFT.netns, agentFile);
    const before = pidsIn(LEFT.netns).length;
    await agent.close();
    expect(pidsIn(LEFT.netns).length).toBe(before - 1);
    await expect(agent.ask('echoed', {})).rejects.toMatchObject({ code: 'LAB_AGENT_FAILED' });
  });

  test('an open request fails when the agent ends', async () => {
    const agent = await Agent.start(LEFT.netns, agentFile);
    await agent.ask('receiveTcp', { port: 6001, timeoutMs: 10_000 });
    const open = agent.ask('receivedTcp', { port: 6001 });
    const outcome = expect(open).rejects.toMatchObject({ code: 'LAB_AGENT_FAILED' });
    await agent.close();
    await outcome;
  });

  test('if one cannot start, the error has the reason, and the others are ended', async () => {
    const before = pidsIn(LEFT.netns).length;
    const start = startAgents([LEFT.netns, `${PREFIX}-none`], agentFile);
    await expect(start).rejects.toMatchObject({ code: 'LAB_AGENT_FAILED', message: expect.stringContaining('-none') });
    expect(pidsIn(LEFT.netns).length).toBe(before);
    await expect(Agent.start(LEFT.netns, `${folder}/missing.js`)).rejects.toThrow(/npm run build/);
  });
});
