/**
 * The punt ring between two threads: every record is read or counted as lost, in order, and none remains without a
 * notification.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { PUNT_SLOTS, PuntReader, PuntRing } from '../../../src/dataplane/state/punt-ring.js';

const RECORDS = 100_000;

/** Writes records in bursts, as an engine does between two waits, and tells when the ring was empty. */
const ENGINE = `
import { parentPort, workerData } from 'node:worker_threads';
import { PuntRing } from './punts.js';
const punts = new PuntRing(workerData.memory);
const view = new DataView(new ArrayBuffer(64));
let burst = 1;
for (let sent = 0; sent < workerData.records; ) {
  burst = (burst * 7 + 3) % 41;
  for (let i = 0; i <= burst && sent < workerData.records; i++) punts.push(1, sent++, 0, 0, view, 0, 64);
  if (punts.rang) {
    punts.rang = false;
    parentPort.postMessage('punted');
  }
  for (let spin = 0; spin < burst * 200; spin++) Math.sqrt(spin);
}
parentPort.postMessage('done');
`;

it('loses none that it does not count', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'overtap-punts-'));
  const source = readFileSync(new URL('../../../src/dataplane/state/punt-ring.ts', import.meta.url), 'utf8');
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  writeFileSync(join(folder, 'punts.js'), ts.transpileModule(source, { compilerOptions }).outputText);
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'engine.js'), ENGINE);

  const { memory } = new PuntRing();
  const reader = new PuntReader([memory]);
  let read = 0;
  let last = -1;
  let inOrder = true;
  const drain = (): void => {
    const more = reader.drain(({ port }) => {
      inOrder &&= port > last;
      last = port;
      read++;
    });
    if (more) setImmediate(drain);
  };
  try {
    const worker = new Worker(join(folder, 'engine.js'), { workerData: { memory, records: RECORDS } });
    worker.on('message', (message: string) => {
      if (message === 'punted') drain();
    });
    await new Promise((resolve, reject) => {
      worker.once('exit', resolve);
      worker.once('error', reject);
    });
    // Rings that came with the exit, and what they left for the next turn.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect({ inOrder, all: read + reader.lost }).toEqual({ inOrder: true, all: RECORDS });
    expect(read).toBeGreaterThanOrEqual(PUNT_SLOTS);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
