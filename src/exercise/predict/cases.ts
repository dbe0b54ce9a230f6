/**
 * Cases of "say what happens": one switch in memory with what it has learned, and frames that come to it. A seed decides the numbers in
 * the configuration and the frames; the exercise says of which kinds the cases are. What happens is what the switch itself says (trace).
 */
import type { TraceAnswer } from '../../api/trace.js';
import type { Document } from '../../config/edit/tree.js';
import { readDocument } from '../../config/read/document.js';
import { MemorySwitch } from '../../control/memory/memory-switch.js';
import { isTunnel } from '../../control/model/model.js';
import { buildFrame } from '../../frames/build.js';
import { fillFrame } from '../../frames/fill.js';
import { parseFrame } from '../../frames/parse.js';
import { toHex } from '../../wire/bytes.js';
import { type Exercise, fileOf, type KnownHost, type WantedCase } from '../catalog.js';
import { Chance } from '../chance.js';

/** Frames that are tried for one case at most. */
const TRIES = 4000;

/** A frame and where it comes in. */
export interface Question {
  readonly port: string;
  readonly from?: string;
  readonly vni?: number;
  /** In the words of `overtap help trace`. */
  readonly frame: string;
}

export interface Case {
  readonly question: Question;
  readonly truth: TraceAnswer;
}

export interface CaseSet {
  /** The configuration with its numbers. */
  readonly config: string;
  readonly hosts: readonly KnownHost[];
  readonly ports: readonly string[];
  readonly cases: readonly Case[];
}

/**
 * The cases of a student.
 * @param rounds how often each case was replaced; absent: never
 */
export async function casesOf(exercise: Exercise, seed: string, rounds: readonly number[] = []): Promise<CaseSet> {
  const numbers = numbersOf(exercise, new Chance(`${seed} numbers`));
  const config = filled(fileOf(exercise, 'switch.yaml'), numbers);
  const hosts = (exercise.hosts ?? []).map((host) => filledHost(host, numbers));
  const sw = await MemorySwitch.start(readDocument(config, 'switch.yaml').value as Document, { fdbSize: 1024 });
  try {
    await teach(sw, hosts);
    const vids = Object.entries(numbers).flatMap(([name, value]) => (name.startsWith('VID') ? [Number(value)] : []));
    const maker = new QuestionMaker(sw, hosts, vids);
    const cases: Case[] = [];
    // In an order of each student's own: the number of a case says nothing about its answer.
    const order = new Chance(`${seed} order`).shuffled(exercise.cases ?? []);
    for (const [at, wanted] of order.entries()) {
      const chance = new Chance(`${seed} case ${at} round ${rounds[at] ?? 0}`);
      cases.push(maker.find(wanted, chance, cases));
    }
    return { config, hosts, ports: [...sw.model.ports.keys()], cases };
  } finally {
    sw.stop();
  }
}

function numbersOf({ numbers = {} }: Exercise, chance: Chance): Record<string, string> {
  const taken = new Set<string>();
  return Object.fromEntries(
    Object.entries(numbers).map(([name, list]) => {
      const free = list.map(String).filter((one) => !taken.has(one));
      const value = chance.oneOf(free);
      taken.add(value);
      return [name, value];
    }),
  );
}

function filled(text: string, numbers: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$([A-Z]+[0-9]*)/g, (whole, name: string) => numbers[name] ?? whole);
}

function filledHost(host: KnownHost, numbers: Readonly<Record<string, string>>): KnownHost {
  return Object.fromEntries(Object.entries(host).map(([key, text]) => [key, filled(text, numbers)])) as KnownHost;
}

/** Each host sends one frame, from which the switch learns it. */
async function teach(sw: MemorySwitch, hosts: readonly KnownHost[]): Promise<void> {
  for (const { mac, port, tag, from, vni } of hosts) {
    const frame = bytesOf(`src ${mac} dst broadcast ${tag === undefined ? '' : `vlan ${tag} `}type 0x88b5`);
    if (from === undefined) sw.put(port, frame);
    else sw.putDatagram(port, { from, vni: Number(vni) }, frame);
    await sw.run();
  }
}

/** The frame that a description stands for. */
export function bytesOf(words: string): Uint8Array {
  return buildFrame(fillFrame(parseFrame(words), { macOf: () => undefined })).bytes;
}

const OTHERS = ['broadcast', '01:00:5e:00:00:05', '01:80:c2:00:00:0e', '02:00:00:00:99:99'];
const FOREIGN_VID = 999;

/** Makes frames by chance until one is of the wanted kind. */
class QuestionMaker {
  private readonly places: readonly { port: string; from?: string; vni?: number }[];

  constructor(
    private readonly sw: MemorySwitch,
    private readonly hosts: readonly KnownHost[],
    private readonly vids: readonly number[],
  ) {
    const locals = [...sw.model.ports.values()].filter((port) => !isTunnel(port)).map(({ name }) => ({ port: name }));
    const remotes = hosts.flatMap(({ port, from, vni }) =>
      from === undefined ? [] : [{ port, from, vni: Number(vni) }],
    );
    this.places = [...locals, ...remotes];
  }

  /** @throws Error when the exercise wants what its switch never does */
  find(wanted: WantedCase, chance: Chance, before: readonly Case[]): Case {
    for (let tries = 0; tries < TRIES; tries++) {
      const question = this.make(chance);
      const isNew = !before.some((one) => JSON.stringify(one.question) === JSON.stringify(question));
      if (!isNew) continue;
      const { frame, ...place } = question;
      const truth = this.sw.trace({ ...place, frame: toHex(bytesOf(frame)) });
      const fits = (wanted.verdict ?? truth.verdict) === truth.verdict && wanted.reason === truth.reason;
      if (fits) return { question, truth };
    }
    throw new Error(`no frame is ${wanted.verdict ?? ''} ${wanted.reason ?? ''}`);
  }

  private make(chance: Chance): Question {
    const place = chance.oneOf(this.places);
    const here = this.hosts.filter((one) => one.port === place.port && one.from === place.from);
    const sender =
      here.length > 0 && chance.percent(70) ? chance.oneOf(here).mac : `02:00:00:00:77:0${chance.below(10)}`;
    const source = chance.percent(6) ? '01:00:5e:00:00:01' : sender;
    const target = chance.percent(60) ? chance.oneOf(this.hosts).mac : chance.oneOf(OTHERS);
    const tag = place.from === undefined ? this.tag(chance) : '';
    return { ...place, frame: `src ${source} dst ${target} ${tag}type 0x88b5` };
  }

  private tag(chance: Chance): string {
    if (chance.percent(50)) return '';
    if (chance.percent(10)) return 'vlan 0 ';
    return `vlan ${chance.percent(15) ? FOREIGN_VID : chance.oneOf(this.vids)} `;
  }
}

/** A case as the student reads it. */
export function questionLine({ port, from, vni, frame }: Question): string {
  const where = from === undefined ? `at ${port}` : `at ${port}, in a datagram from ${from} with VNI ${vni}`;
  return `${where}: ${frame}`;
}
