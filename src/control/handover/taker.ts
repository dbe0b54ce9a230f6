/**
 * The process that takes a switch over from the one that runs it. First it asks at the control socket and gets the plan and the
 * descriptors: nothing else runs in this process yet, so it waits for them. Then it sets itself up as the plan says, with engines
 * that stand still, and at last goes on from the state of the former process.
 *
 * Until it has the whole state this process changes nothing: ending is all that a failure takes. If the former process dies in the
 * meantime, this one goes on with what it has.
 */
import { Socket } from 'node:net';
import type { z } from 'zod';
import { KEY_WORDS, SENT_WORDS } from '../../fdb/table.js';
import { peerOf } from '../../port/process.js';
import { closeDescriptor, connectUnix, hasEnded, receiveRights, sendRights } from '../../port/rights.js';
import type { Engines } from '../engines/engines.js';
import type { Absence, Bequest, Legacy } from '../model/bequest.js';
import type { SwitchModel } from '../model/model.js';
import type { MulticastControl } from '../tables/multicast-control.js';
import { Channel, PeerGone } from './channel.js';
import { monotonicMs, presentTick } from './clock.js';
import { NAMES, PLAN, type Plan, STATE, type State } from './estate.js';
import { encodeFrame, type Frame, FrameError, FrameReader, jsonOf, TAKE_OVER_TARGET, wordsOf } from './frames.js';
import { restoreLimits } from './limits.js';
import {
  groupsOf,
  removeEntries,
  type Restored,
  restoreBindings,
  restoreCounts,
  restoreEntries,
  Translation,
} from './restore.js';
import { BINDING_SENT_WORDS } from './tables.js';

/** Time in milliseconds for each answer of the former process. */
const ANSWER_MS = 30_000;
/** Time for its last word; it has nothing to do then. */
const BYE_MS = 2000;
/** A million FDB entries are 28 MiB. */
const MOST_BYTES = 256 * 1024 * 1024;
/** Parts of the tables that come while the former process still forwards. */
const ROUNDS_BEFORE = 2;
const READ_BYTES = 256 * 1024;
const MOST_HEAD = 16 * 1024;
const END_OF_HEAD = '\r\n\r\n';

/** The former process does not give its switch away, or not in a way that this one understands. */
export class TakeOverError extends Error {
  override readonly name = 'TakeOverError';
}

/** Where the state of the former process goes. */
export interface TakerParts {
  model: SwitchModel;
  engines: Engines;
  multicast: Pick<MulticastControl, 'restore'>;
  loops: { restore(loops: State['loops']): void };
  trees: { restore(trees: State['trees']): void; begin(): void };
  liveness: { restore(remotes: State['remotes']): void };
}

interface Part {
  entries: number;
  bindings: Int32Array;
  state: State;
  by: Translation;
  to: Restored;
}

/** How it went. */
export interface Taken {
  /** Milliseconds in which nobody forwarded; null: the former process died before, at an unknown time. */
  gap: number | null;
  entries: number;
}

export class Taker {
  private constructor(
    private readonly channel: Channel,
    private readonly former: number,
    readonly plan: Plan,
    readonly legacy: Legacy,
  ) {}

  /**
   * Asks the switch at a control socket for all that it has. Blocks this thread.
   * @throws TakeOverError
   */
  static ask(path: string): Taker {
    let fd: number;
    try {
      fd = connectUnix(path);
    } catch (error) {
      throw new TakeOverError(`no switch answers on ${path} that could be taken over: ${(error as Error).message}`);
    }
    const fds: number[] = [];
    try {
      const reader = new FrameReader(MOST_BYTES);
      const plan = receivePlan(new Intake(fd, reader, fds));
      const { pid } = peerOf(fd);
      const legacy: Legacy = { bequests: bequestsOf(plan, fds), custody: { isOurs: false } };
      return new Taker(new Channel(new Socket({ fd }), reader), pid, plan, legacy);
    } catch (error) {
      for (const one of [...fds, fd]) closeDescriptor(one);
      throw error instanceof TakeOverError ? error : new TakeOverError((error as Error).message);
    }
  }

  /** Tells the former process that this one cannot go on. */
  async giveUp(message: string): Promise<void> {
    await this.channel.refuse(message);
    this.channel.destroy();
  }

  /**
   * Goes on from the state of the former process, and forwards when it resolves. No change may be carried out meanwhile.
   * @param version of this program
   * @param begin called as soon as the devices are this process's own
   * @throws TakeOverError; the former process forwards
   */
  async complete(parts: TakerParts, version: string, begin: () => void): Promise<Taken> {
    let taken: Awaited<ReturnType<Taker['continue']>>;
    try {
      taken = await this.continue(parts);
    } catch (error) {
      const { message } = error as Error;
      await this.giveUp(message);
      throw new TakeOverError(`${message}; the former switch goes on`);
    }
    this.legacy.custody.isOurs = true;
    parts.engines.goOn();
    parts.trees.begin();
    const said = this.channel.send(encodeFrame('running', Buffer.from(version))).catch(() => undefined);
    const gap = taken.heldAt === null ? null : monotonicMs() - taken.heldAt;
    begin();
    await said;
    await this.channel.expect('bye', BYE_MS).catch(() => undefined);
    this.channel.destroy();
    return { gap, entries: taken.entries };
  }

  private async continue(parts: TakerParts): Promise<{ entries: number; heldAt: number | null }> {
    let entries = 0;
    try {
      for (let round = 0; round < ROUNDS_BEFORE; round++) {
        entries += (await this.receive(parts)).entries;
        await this.channel.send(encodeFrame('prepared'));
      }
      const last = await this.receive(parts);
      restoreBindings(last.bindings, last.by, last.to);
      restoreCounts(last.state.counts, last.by, last.to);
      if (last.state.limits !== undefined) restoreLimits(last.state.limits, last.by, parts.engines.legacy);
      await this.restoreGroups(last.state, last.by, parts);
      parts.loops.restore(last.state.loops);
      parts.trees.restore(last.state.trees);
      parts.liveness.restore(last.state.remotes);
      return { entries: entries + last.entries, heldAt: last.state.heldAt };
    } catch (error) {
      if (!(error instanceof PeerGone) || !hasEnded(this.former)) throw error;
      return { entries, heldAt: null };
    }
  }

  /** One part of the tables. FDB entries are put in at once, the rest once the former process stands still. */
  private async receive({ model, engines }: TakerParts): Promise<Part> {
    const to = { model, remotes: engines.remotes, tables: engines.legacy, tick: presentTick() };
    const by = new Translation(read(NAMES, await this.channel.expect('names', ANSWER_MS)), to);
    removeEntries(wordsOf(await this.channel.expect('gone', ANSWER_MS), KEY_WORDS), by, to);
    const words = wordsOf(await this.channel.expect('entries', ANSWER_MS), SENT_WORDS);
    const entries = restoreEntries(words, by, to);
    const bindings = wordsOf(await this.channel.expect('neighbours', ANSWER_MS), BINDING_SENT_WORDS);
    const state = read(STATE, await this.channel.expect('state', ANSWER_MS));
    return { entries, bindings, state, by, to };
  }

  private async restoreGroups(state: State, by: Translation, { engines, multicast }: TakerParts): Promise<void> {
    const operations = multicast.restore(groupsOf(state, by));
    if (operations.length > 0) await engines.apply(operations);
  }
}

/** The connection before Node has it: bytes and descriptors, read one after the other. */
class Intake {
  private readonly buffer = Buffer.alloc(READ_BYTES);

  constructor(
    private readonly fd: number,
    readonly reader: FrameReader,
    /** Descriptors that have come. */
    readonly fds: number[],
  ) {}

  say(text: string): void {
    sendRights(this.fd, Buffer.from(text));
  }

  /** @throws TakeOverError when nothing comes */
  read(): Buffer {
    const got = receiveRights(this.fd, this.buffer, ANSWER_MS);
    if (got === null) throw new TakeOverError(`the switch does not answer within ${ANSWER_MS / 1000} s`);
    this.fds.push(...got.fds);
    if (got.length === 0) throw new TakeOverError('the switch has closed the connection');
    return Buffer.from(this.buffer.subarray(0, got.length));
  }

  /** The next frame. */
  frame(): Frame {
    for (;;) {
      const frame = this.reader.next();
      if (frame !== null) return frame;
      this.reader.push(this.read());
    }
  }
}

function receivePlan(intake: Intake): Plan {
  intake.say(`CONNECT ${TAKE_OVER_TARGET} HTTP/1.1\r\n\r\n`);
  receiveHead(intake);
  const plan = read(PLAN, expectFrame(intake, 'plan'));
  let announced = 0;
  for (const [, port] of plan.ports) announced += 'fds' in port ? port.fds : 0;
  for (let got = 0; got < announced; ) {
    const count = expectFrame(intake, 'rights').payload[0] ?? 0;
    if (count === 0) throw new TakeOverError('the switch announces descriptors and gives none');
    got += count;
  }
  if (intake.fds.length !== announced)
    throw new TakeOverError(`the switch gives ${intake.fds.length} descriptors, and names ${announced}`);
  return plan;
}

/** The answer to CONNECT: 200, or a refusal with its reason. */
function receiveHead(intake: Intake): void {
  let head = Buffer.alloc(0);
  while (!head.includes(END_OF_HEAD)) {
    if (head.length > MOST_HEAD) throw new TakeOverError('this is not the control socket of a switch');
    try {
      head = Buffer.concat([head, intake.read()]);
    } catch (error) {
      if (!(error instanceof TakeOverError) || head.length > 0) throw error;
      throw new TakeOverError(
        `${error.message}: its version cannot give its guests to another process; stop it and start the new one`,
      );
    }
  }
  const end = head.indexOf(END_OF_HEAD) + END_OF_HEAD.length;
  const text = head.subarray(0, end).toString('latin1');
  if (/^HTTP\/1\.1 200 /.test(text)) {
    intake.reader.push(head.subarray(end));
    return;
  }
  const length = Math.min(MOST_HEAD, Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0));
  while (head.length < end + length) head = Buffer.concat([head, intake.read()]);
  throw new TakeOverError(reasonOf(head.subarray(end).toString('utf8')));
}

function reasonOf(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: { message?: string } };
    if (typeof error?.message === 'string') return error.message;
  } catch {
    // No JSON.
  }
  return 'the switch refuses to be taken over';
}

function expectFrame(intake: Intake, type: Frame['type']): Frame {
  const frame = intake.frame();
  if (frame.type === type) return frame;
  const { message } = frame.type === 'fault' ? (jsonOf(frame) as { message?: string }) : {};
  throw new TakeOverError(message ?? `the switch sends ${frame.type} where ${type} is due`);
}

/** @throws FrameError when it does not have the shape that this version knows */
function read<T>(schema: z.ZodType<T>, frame: Frame): T {
  const found = schema.safeParse(jsonOf(frame));
  if (found.success) return found.data;
  const [issue] = found.error.issues;
  throw new FrameError(
    `its ${frame.type} is not as this version knows it: ${issue?.path.join('.')}: ${issue?.message}`,
  );
}

function bequestsOf({ ports }: Plan, fds: readonly number[]): Map<string, Bequest | Absence> {
  let at = 0;
  return new Map<string, Bequest | Absence>(
    ports.map(([name, port]) => {
      if (!('fds' in port)) return [name, port] as const;
      at += port.fds;
      return [name, { ...port, facts: port.facts, fds: fds.slice(at - port.fds, at) }] as const;
    }),
  );
}
