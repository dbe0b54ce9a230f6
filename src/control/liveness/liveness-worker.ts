/** Entry point of the liveness thread. */
import { parentPort, workerData } from 'node:worker_threads';
import type { LivenessData } from '../../liveness/contract.js';
import { LivenessLoop } from '../../liveness/loop.js';

if (parentPort === null) throw new Error('the liveness thread is started by the switch, not by hand');
new LivenessLoop(parentPort, workerData as LivenessData).run();
