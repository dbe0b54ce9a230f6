/**
 * The micro-benchmark in small, in a process of its own, so that the test runner's garbage is not counted.
 *
 *   node --expose-gc bench.js SECONDS_A_STAGE SECONDS_OF_TRAFFIC    prints {"stages", "steady"} as JSON
 */
import { countCollections, measureStages } from '../../../src/bench/micro/run.js';

const [stage, traffic] = process.argv.slice(2).map(Number);
const stages = measureStages({ seconds: stage, samples: 2 });
const steady = await countCollections({ seconds: traffic, hosts: 64 });
process.stdout.write(`${JSON.stringify({ stages, steady })}\n`);
