/** A trace of a frame against what then happens to it: copies byte for byte, drops, what was learned, and the verdict. */
import { expect } from 'vitest';
import type { TraceAnswer } from '../../../../src/api/trace.js';
import type { Left, MemorySwitch, Offload } from '../../../../src/control/memory/memory-switch.js';
import { buildFrame } from '../../../../src/frames/build.js';
import { fillFrame } from '../../../../src/frames/fill.js';
import { parseFrame } from '../../../../src/frames/parse.js';
import { fromHex, toHex } from '../../../../src/wire/bytes.js';
import type { Step } from './steps.js';

/** What was compared. */
export class Tally {
  cases = 0;
  readonly verdicts = new Map<string, number>();
  readonly reasons = new Map<string, number>();

  add({ verdict, steps, copies }: TraceAnswer): void {
    this.cases++;
    count(this.verdicts, verdict);
    const reasons = new Set([
      ...steps.flatMap(({ stage, code }) => (stage === 'drop' ? [code] : [])),
      ...copies.flatMap(({ reason }) => reason ?? []),
    ]);
    for (const reason of reasons) count(this.reasons, reason);
  }

  toString(): string {
    const list = (map: Map<string, number>): string =>
      [...map]
        .sort((one, other) => other[1] - one[1])
        .map(([key, number]) => `${key} ${number}`)
        .join(', ');
    return `${this.cases} cases: ${list(this.verdicts)}; ${this.reasons.size} drop reasons: ${list(this.reasons)}`;
  }
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

export interface Bytes {
  bytes: Uint8Array;
  offload?: Offload;
}

export function bytesOf({ frame, offload }: Step): Bytes {
  const built = /^[0-9a-f]*$/.test(frame)
    ? { bytes: fromHex(frame) }
    : buildFrame(fillFrame(parseFrame(frame), { macOf: () => undefined }));
  return offload === undefined ? built : { ...built, offload };
}

/** A copy as text. */
function leftText({ port, frame: bytes, remote }: Left): string {
  const to = remote === undefined ? '' : ` ${remote.address}:${remote.udpPort} vni ${remote.vni}`;
  return `${port}${to} ${toHex(bytes)}`;
}

function tracedText({ copies, frames = [] }: TraceAnswer): string[] {
  return copies
    .filter(({ verdict }) => verdict === 'sent')
    .map(({ port, remote, udp_port: udpPort, vni, frame: at = 0 }) => {
      const to = remote === undefined ? '' : ` ${remote}:${udpPort} vni ${vni}`;
      return `${port}${to} ${frames[at]}`;
    });
}

/** Counters that a frame moves: drops as `port direction reason`, and what was learned. */
function countersOf({ model, engines }: MemorySwitch): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [name, { index }] of model.ports) {
    const { rx, tx } = engines.counters.account(index);
    for (const [reason, number] of Object.entries(rx)) counts.set(`${name} in ${reason}`, number);
    for (const [reason, number] of Object.entries(tx)) counts.set(`${name} out ${reason}`, number);
  }
  const { learned, moved, refused } = engines.fdb.counters();
  for (const [code, number] of Object.entries({ learned, moved, full: refused })) counts.set(`learn ${code}`, number);
  counts.set('bindings', engines.neigh.counters().entries);
  return counts;
}

/** What has grown, each as often as it has. */
function grown(before: Map<string, number>, after: Map<string, number>): string[] {
  const keys: string[] = [];
  for (const [key, number] of after) for (let from = before.get(key) ?? 0; from < number; from++) keys.push(key);
  return keys.sort();
}

/** What a trace says will grow. A drop of the frame itself may count at whichever port. */
function tracedGrowth({ copies, steps }: TraceAnswer): {
  drops: string[];
  dropped: string[];
  learned: string[];
  bound: number;
} {
  return {
    drops: copies.flatMap(({ port, reason }) => (reason === undefined ? [] : [`${port} out ${reason}`])).sort(),
    dropped: steps.filter(({ stage }) => stage === 'drop').map(({ code }) => code),
    learned: steps
      .filter(({ stage, code }) => stage === 'learn' && ['learned', 'moved', 'full'].includes(code))
      .map(({ code }) => `learn ${code}`)
      .sort(),
    bound: steps.filter(
      ({ stage, code, text }) => stage === 'neigh' && code === 'learned' && text.endsWith('is learned.'),
    ).length,
  };
}

/** All that engines share, as bytes. */
function memoryOf({ engines }: MemorySwitch): Buffer[] {
  const { fdb, neigh, remotes, storm, floodBudget } = engines.context;
  return [fdb, neigh, remotes, storm, floodBudget].map(({ memory }) => Buffer.from(new Uint8Array(memory)));
}

/** Source of what the switch says for its layer-3 port, behind what the frame itself causes. */
const PACKET_MAC = '020000000020';
const isOwn = ({ frame }: Left): boolean => toHex(frame.subarray(6, 12)) === PACKET_MAC;

/** Of so many cases one has its whole memory compared, before and after the trace; and one is traced twice. */
const MEMORY_EVERY = 151;
const TWICE_EVERY = 13;
/** More packets than may wait for one MAC. */
const HELD = 5;

/** As `toEqual`, which costs more than a trace. */
function same(said: readonly unknown[], happened: readonly unknown[]): void {
  if (said.length !== happened.length || said.some((one, at) => one !== happened[at])) expect(said).toEqual(happened);
}

/** Traces a frame, then lets it happen. @returns what left @throws AssertionError */
export async function compare(sw: MemorySwitch, step: Step, { bytes, offload }: Bytes, tally: Tally): Promise<Left[]> {
  const { port, from, vni, tos } = step;
  const isTunnel = port === 'v1';
  const place = isTunnel ? { from, vni, tos } : offload === undefined ? {} : { offload };
  const memory = tally.cases % MEMORY_EVERY === 0 ? memoryOf(sw) : [];
  const trace = (): TraceAnswer => sw.trace({ port, frame: toHex(bytes), frames: true, ...place });
  const answer = trace();
  const again = answer.verdict === 'held' ? HELD : tally.cases % TWICE_EVERY === 0 ? 1 : 0;
  for (let times = 0; times < again; times++) expect(trace()).toEqual(answer);
  if (memory.length > 0) expect(memoryOf(sw).map((now, at) => now.equals(memory[at]))).toEqual(memory.map(() => true));
  tally.add(answer);
  const before = countersOf(sw);
  const { layer3 } = sw.engines.context;
  const asks = layer3.askCount;
  if (isTunnel) sw.putDatagram(port, { from, vni, tos }, bytes);
  else sw.put(port, bytes, offload);
  const left = await sw.run();
  const said = tracedText(answer);
  const happened = left.map(leftText);
  const own = left.slice(said.length);
  if ((own.length > 0 && own.every(isOwn)) || layer3.askCount < asks) {
    // Behind them the switch asks for a MAC, or packets go on that had waited for one.
    same(said, happened.slice(0, said.length));
    return left;
  }
  same(said, happened);
  compareGrowth(answer, grown(before, countersOf(sw)));
  compareVerdict(answer);
  return left;
}

function compareGrowth(answer: TraceAnswer, happened: readonly string[]): void {
  const { drops, dropped, learned, bound } = tracedGrowth(answer);
  same(
    drops,
    happened.filter((key) => key.includes(' out ')),
  );
  const refused = happened.filter((key) => key.includes(' in ')).map((key) => key.split(' ')[2]);
  // What a trace does not know: where too many packets wait already, one more does not.
  if (answer.verdict === 'held' && refused.length > 0) expect(refused).toEqual(['neigh_failed']);
  else same(dropped, refused);
  same(
    learned,
    happened.filter((key) => key.startsWith('learn ')),
  );
  same([bound], [happened.filter((key) => key === 'bindings').length]);
}

/** The verdict follows from the copies, which are those that happened. */
function compareVerdict({ verdict, reason, copies, steps }: TraceAnswer): void {
  const sent = copies.filter((copy) => copy.verdict === 'sent');
  const passed = sent.filter(({ answer }) => answer !== true).length;
  const reasons = [
    ...copies.flatMap((copy) => copy.reason ?? []),
    ...steps.map(({ stage, code }) => (stage === 'drop' ? code : '')),
  ];
  if (verdict === 'forwarded') expect(passed).toBe(1);
  if (verdict === 'flooded') expect(passed).toBeGreaterThan(0);
  if (verdict === 'answered') expect(sent.length).toBeGreaterThan(passed);
  if (verdict === 'held') expect(passed).toBe(0);
  if (verdict !== 'dropped') return;
  expect(passed).toBe(0);
  expect(reasons).toContain(reason);
}
