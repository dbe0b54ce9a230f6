/**
 * Entry point of the speaker's thread: messages in, messages out. Sockets, timers and routes of BGP are here, so that no engine and no
 * request waits for a neighbour.
 */
import { parentPort } from 'node:worker_threads';
import type { FromSpeaker, ToSpeaker } from './contract.js';
import { createRib } from './rib/rib.js';
import { Speaker } from './speaker.js';

/** Runs the speaker until the control thread stops it. */
function main(): void {
  if (parentPort === null) throw new Error('speaker-worker is started by the switch, not by hand');
  const port = parentPort;
  const tell = (message: FromSpeaker): void => {
    port.postMessage(message);
    // The last bytes to the neighbours are under way; nothing else keeps the thread.
    if (message.tell === 'stopped') port.close();
  };
  const speaker = new Speaker({ tell, now: () => performance.now(), random: Math.random, rib: createRib() });
  port.on('message', (message: ToSpeaker) => speaker.hear(message));
}

main();
