/**
 * The micro-benchmarks run, so that they cannot rot, and the path of a frame makes no garbage. No time is asserted.
 */
import { expect, test } from 'vitest';
import { must } from '../../src/lab/testbed/program.js';
import { toolPath } from './tool-path.js';

interface Report {
  stages: { name: string; frames: number; median: number; low: number; high: number }[];
  steady: { collections: number; frames: number; grown: number };
}

const TRAFFIC_SECONDS = 2;

test('every stage is measured, and no garbage is collected while frames flow', async () => {
  const script = toolPath('bench');
  const report = JSON.parse(
    await must([process.execPath, '--expose-gc', script, '0.02', String(TRAFFIC_SECONDS)]),
  ) as Report;

  expect(report.stages.length).toBeGreaterThanOrEqual(6);
  for (const { name, low, median, high } of report.stages) {
    expect(low, name).toBeGreaterThan(0);
    expect(median, name).toBeGreaterThanOrEqual(low);
    expect(high, name).toBeGreaterThanOrEqual(median);
  }
  console.log(report.stages.map(({ name, median }) => `${name}: ${median.toFixed(1)} ns a frame`).join('\n'));

  const { collections, frames, grown } = report.steady;
  console.log(
    `${frames} frames in ${TRAFFIC_SECONDS} s: ${collections} garbage collections, heap grew by ${grown} bytes`,
  );
  expect(frames).toBeGreaterThan(100_000);
  expect(collections).toBe(0);
});
