/**
 * Mixed traffic makes no garbage in the engine: many flows, new MACs in a full table, ARP and ND, floods, storms, unknown VTEPs,
 * multicast, oversized and invalid frames, failing transmissions. Counted in bytes, since the number of collections depends on the
 * size of the young generation.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';
import { must } from '../../src/lab/testbed/program.js';
import { LONG } from '../long.js';

const CACHE = new URL('../../node_modules/.cache/overtap-tools/', import.meta.url);
const FLAGS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'];
/** Turns of some 200 frames, until V8 has compiled what they use, and measured ones. */
const WARM_UP = LONG ? 10_000 : 1500;
const TURNS = LONG ? 20_000 : 600;
/** A number on the heap has 16 bytes: less than one for each second frame. What is not compiled yet makes some. */
const MOST_BYTES = 60_000;
const LIMIT_MS = LONG ? 1_800_000 : 60_000;
const PER_FRAMES = 10_000;

interface Answer {
  frames: number;
  bytes: number;
  drops: Record<string, number>;
}

/** The program and what it imports, in one file that Node runs. */
async function bundle(): Promise<string> {
  mkdirSync(CACHE, { recursive: true });
  const file = fileURLToPath(new URL('allocation-run.mjs', CACHE));
  const input = fileURLToPath(new URL('allocation-run.ts', import.meta.url));
  const build = await rolldown({
    input,
    platform: 'node',
    external: /\.node$/,
    resolve: { extensionAlias: { '.js': ['.ts'] } },
  });
  await build.write({ file, format: 'esm', codeSplitting: false });
  await build.close();
  return file;
}

test(`${PER_FRAMES} mixed frames allocate less than ${MOST_BYTES} bytes in the engine`, async () => {
  const command = [process.execPath, ...FLAGS, await bundle(), String(WARM_UP), String(TURNS)];
  const answer = await must(command, { limitMs: LIMIT_MS });
  const { frames, bytes, drops } = JSON.parse(answer) as Answer;
  const each = Math.round((bytes / frames) * PER_FRAMES);
  console.log(`${frames} frames: ${each} bytes for each ${PER_FRAMES}; drops of ${Object.keys(drops).length} reasons`);
  expect(frames).toBeGreaterThan(TURNS * 50);
  expect(Object.keys(drops).length).toBeGreaterThan(15);
  expect(each).toBeLessThan(MOST_BYTES);
});
