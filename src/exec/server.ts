/** The socket that preloaded libraries speak to. */
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { SwitchRefused, SwitchUnreachable } from '../client/client.js';
import { NetlinkFault } from '../netlink/fault.js';
import { bytesOf } from '../netlink/option-table.js';
import { answerCall } from './calls.js';
import { type Dispatched, dispatch } from './dispatch.js';
import { CALLER_BYTES, type Caller, Conversation, datagrams, readCaller, WORD } from './exchange.js';
import { bringEvents } from './events.js';
import { makeFolder, removeLeft } from './folder.js';
import { SysfsTrees } from './sysfs.js';
import type { Switches } from './switches.js';

/** Conversations at once. */
const MAX_CONVERSATIONS = 256;
/** Milliseconds for the first word: the library says it as soon as it is connected. Who is silent would hold a place for ever. */
const FIRST_WORD_MS = 10_000;

export interface ExecServer {
  /** Of the socket. */
  readonly path: string;
  /** Its folder. */
  readonly folder: string;
  close(): void;
}

/** Opens it in a folder of its own that only this user can enter. @param report what must not happen @param firstWordMs for tests */
export async function serve(
  switches: Switches,
  report: (error: unknown) => void,
  firstWordMs = FIRST_WORD_MS,
): Promise<ExecServer> {
  await removeLeft();
  const { folder, socket: path } = makeFolder();
  const sysfs = new SysfsTrees(folder);
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    converse({ switches, report }, sysfs, socket, firstWordMs).catch((error) => {
      socket.destroy();
      report(error);
    });
  });
  server.maxConnections = MAX_CONVERSATIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return {
    path,
    folder,
    close() {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One thing that one program says. */
async function converse(dispatched: Dispatched, sysfs: SysfsTrees, socket: Socket, firstWordMs: number): Promise<void> {
  const conversation = new Conversation(socket);
  try {
    const late = setTimeout(() => socket.destroy(), firstWordMs).unref();
    const frame = await conversation.next().finally(() => clearTimeout(late));
    const caller = frame === null ? null : readCaller(frame.payload);
    if (frame === null || caller === null) return;
    const rest = frame.payload.subarray(CALLER_BYTES);
    if (frame.word === WORD.REQUEST) {
      const answer = await dispatch(dispatched, caller, rest, conversation);
      // It may have been a change, which brctl has to see.
      if (answer !== null) sysfs.forget(caller.netns);
      if (answer === null) conversation.say(WORD.PASS);
      else conversation.say(WORD.ANSWER, datagrams(answer));
    } else if (frame.word === WORD.LISTEN) {
      await listen(dispatched, caller, rest, conversation);
    } else if (frame.word === WORD.CALL) {
      const result = await answerCall(dispatched, caller, rest, conversation, sysfs);
      if (result === null) conversation.say(WORD.PASS);
      else conversation.say(WORD.RESULT, Buffer.concat([bytesOf(4, result.errno), result.bytes]));
    }
  } finally {
    conversation.end();
  }
}

/** Events, until the program goes or the switch does. */
async function listen(
  { switches }: Dispatched,
  caller: Caller,
  groups: Buffer,
  conversation: Conversation,
): Promise<void> {
  const gone = new AbortController();
  conversation.onEnd(() => gone.abort());
  try {
    await bringEvents(switches, caller, groups, conversation, gone.signal);
  } catch (error) {
    // The program goes on with what the kernel tells it.
    if (!(error instanceof SwitchUnreachable || error instanceof SwitchRefused || error instanceof NetlinkFault))
      throw error;
  }
}
