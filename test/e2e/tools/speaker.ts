/**
 * The thread of the BGP speaker, driven over a unix socket: node speaker.js PATH. What the control thread would say comes in, what it
 * would hear goes out, one JSON a line. Batches of routes are taken at once. SIGTERM ends it without a word to the neighbours.
 */
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { ToSpeaker } from '../../../src/evpn/contract.js';
import { SpeakerThread } from '../../../src/evpn/speaker-thread.js';

const clients = new Set<Socket>();
const say = (message: object): void => {
  for (const client of clients) client.write(`${JSON.stringify(message)}\n`);
};

const guarded =
  <A extends unknown[]>(place: string, work: (...args: A) => unknown) =>
  (...args: A): void => {
    try {
      work(...args);
    } catch (error) {
      say({ tell: 'fault', text: `${place}: ${String(error)}` });
    }
  };

const thread = new SpeakerThread(
  {
    told(message) {
      if (message.tell === 'routes') thread.post({ do: 'taken' });
      say(message);
    },
    started: (isAgain) => say({ tell: 'started', isAgain }),
    failed: (error) => say({ tell: 'failed', text: error.message }),
  },
  guarded,
);

createServer((client) => {
  clients.add(client);
  client.on('close', () => clients.delete(client));
  createInterface({ input: client }).on('line', (line) => {
    const message = JSON.parse(line) as ToSpeaker;
    if (message.do === 'stop') void thread.stop(message.restarts);
    else {
      thread.start();
      thread.post(message);
    }
  });
}).listen(process.argv[2], () => process.stdout.write('listens\n'));
