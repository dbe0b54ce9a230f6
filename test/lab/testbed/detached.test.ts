import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRunning, startDetached, stopProcess } from '../../../src/lab/testbed/detached.js';
import { addNamespace, deleteNamespace } from '../../../src/lab/testbed/namespaces.js';
import { needRoot, removeFolder, temporaryFolder } from '../lab-support.js';

const NETNS = `otl-${process.pid}-p`;
const folder = temporaryFolder();

beforeAll(async () => {
  needRoot();
  await addNamespace(NETNS);
});

afterAll(async () => {
  await deleteNamespace(NETNS);
  removeFolder(folder);
});

describe('a process of a lab', () => {
  it('is recognised from its start on, also during exec', async () => {
    for (let i = 0; i < 50; i++) {
      // An argument by which the process is recognised.
      const seconds = String(1000 + i);
      const { pid } = await startDetached(NETNS, ['sleep', seconds], join(folder, 'log'));
      const seen = Array.from({ length: 200 }, () => isRunning(pid, seconds));
      expect(await stopProcess(pid, seconds)).toBe('ended');
      expect(seen.indexOf(false), `of process ${i}`).toBe(-1);
      expect(isRunning(pid, seconds)).toBe(false);
    }
  });

  it('is not confused with another process of the same pid', async () => {
    expect(isRunning(process.pid, 'no such argument')).toBe(false);
    expect(await stopProcess(process.pid, 'no such argument')).toBe('not running');
  });
});
