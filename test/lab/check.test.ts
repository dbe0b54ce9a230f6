/** A whole run of a lab: it comes down after the check, after a failure and after an interrupt. */
import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { checkLab, runLab } from '../../src/lab/check.js';
import type { Finding } from '../../src/lab/checks/findings.js';
import type { Inspection } from '../../src/lab/checks/inspection.js';
import type { Lab } from '../../src/lab/lab.js';
import { bringUp, takeDown } from '../../src/lab/lifecycle.js';
import { labFolder } from '../../src/lab/setup/state.js';
import { namespacesOf } from '../../src/lab/setup/topology.js';
import { LabError } from '../../src/lab/testbed/errors.js';
import { namespaceExists } from '../../src/lab/testbed/namespaces.js';
import { becomesTrue, waitUntil } from '../../src/lab/testbed/wait.js';
import { fakeEnvironment, fakeLab } from './fake-lab.js';
import { needRoot, removeFolder, temporaryFolder } from './lab-support.js';

const folder = temporaryFolder();
const environment = fakeEnvironment(folder);
const printed: string[] = [];
const print = (line: string): void => void printed.push(line);

beforeAll(needRoot);

afterEach(async () => {
  await takeDown('fake', environment, print);
  printed.length = 0;
});

afterAll(() => removeFolder(folder));

/** The fake lab with this check and no stations, so that no agent is needed. */
function labWith(check: (inspection: Inspection) => Promise<void>): Lab {
  const lab = fakeLab();
  return { ...lab, topology: { ...lab.topology, stations: [] }, check };
}

/** A lab with a change that its check undoes, and that never ends by itself. */
function labThatUndoes(): { lab: Lab; isUndone: () => boolean } {
  let isUndone = false;
  const lab = labWith(async (inspection) => {
    await inspection.temporarily(
      async () => {},
      async () => {
        isUndone = true;
      },
    );
    await endless.check(inspection);
  });
  return { lab, isUndone: () => isUndone };
}

function isGone({ name, topology }: Lab): boolean {
  return !namespacesOf(topology).some(namespaceExists) && !existsSync(labFolder(environment.root, name));
}

/** Claims one thing, then waits for something that never happens. */
const endless = labWith(async (inspection) => {
  await inspection.prove('one and one are two', async () => ({ holds: true, seen: '2' }));
  await waitUntil(() => false, { what: 'the end of time', limitMs: 600_000, everyMs: 1000, signal: inspection.signal });
});
const isWaiting = (): Promise<boolean> =>
  becomesTrue(() => printed.some((line) => line.includes('one and one')), { limitMs: 15_000 });

describe('a run', () => {
  test('takes the lab down, then prints the table', async () => {
    const lab = labWith(async (inspection) => {
      await inspection.prove('one and one are two', async () => ({ holds: true, seen: '2' }));
    });
    expect(await runLab(lab, environment, print, new AbortController().signal)).toBe(true);
    expect(isGone(lab)).toBe(true);
    expect(printed.filter((line) => /^ok {6}/.test(line))).toHaveLength(2);
  });

  test('takes the lab down after a check that failed half-way', async () => {
    const lab = labWith(async () => {
      throw new Error('the agent is gone');
    });
    expect(await runLab(lab, environment, print, new AbortController().signal)).toBe(false);
    expect(isGone(lab)).toBe(true);
    expect(printed.join('\n')).toContain('the check ended early: the agent is gone');
  });

  test('ends at once when it is interrupted, without undoing what is removed anyway', async () => {
    const { lab, isUndone } = labThatUndoes();
    const controller = new AbortController();
    const outcome = expect(runLab(lab, environment, print, controller.signal)).rejects.toMatchObject({
      code: 'LAB_INTERRUPTED',
      exitStatus: 130,
    });
    expect(await isWaiting()).toBe(true);
    const start = performance.now();
    controller.abort('SIGINT');
    await outcome;
    expect(performance.now() - start).toBeLessThan(5000);
    expect(isGone(lab)).toBe(true);
    expect(isUndone()).toBe(false);
    expect(printed.at(-1)).toContain('lab fake is down; nothing is left');
  });
});

test('a command that fails because of the interrupt is not named as the cause', async () => {
  const controller = new AbortController();
  const lab = labWith(async () => {
    controller.abort('SIGINT');
    throw new LabError('LAB_COMMAND_FAILED', 'ip route: ended with SIGINT');
  });
  await expect(runLab(lab, environment, print, controller.signal)).rejects.toMatchObject({ code: 'LAB_INTERRUPTED' });
  expect(isGone(lab)).toBe(true);
  expect(printed.join('\n')).toContain('the check ended early: interrupted by SIGINT');
});

test('an interrupted check of a lab that stays up undoes its changes', async () => {
  const { lab, isUndone } = labThatUndoes();
  await bringUp(lab, environment, print);
  const controller = new AbortController();
  const findings: Finding[] = [];
  const check = checkLab(lab, { environment, print, signal: controller.signal, findings, staysUp: true });
  const outcome = expect(check).rejects.toMatchObject({ code: 'LAB_INTERRUPTED' });
  expect(await isWaiting()).toBe(true);
  controller.abort('SIGTERM');
  await outcome;
  expect(isUndone()).toBe(true);
  expect(findings).toHaveLength(2);
  expect(isGone(lab)).toBe(false);
});
