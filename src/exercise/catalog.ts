/**
 * The exercises of the package: a folder each in `exercises`, with `exercise.yaml` (below), `task.md` for the student, and the files of its
 * kind. Texts and cases are data; what judges them is in this room. Read-only.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { readDocument } from '../config/read/document.js';
import { nearest } from '../values/did-you-mean.js';

/** What a student has to do. */
export const KINDS = ['fault', 'predict', 'write'] as const;
export type Kind = (typeof KINDS)[number];

/** In words, for lists. */
export const KIND_WORDS: Readonly<Record<Kind, string>> = {
  fault: 'find the fault',
  predict: 'say what happens',
  write: 'write the stage',
};

/** A host that the switch has learned before a case begins. */
const HOST = z.strictObject({
  name: z.string(),
  mac: z.string(),
  port: z.string(),
  /** The VLAN tag that it sends, if any. */
  tag: z.string().exactOptional(),
  /** Behind a vxlan port: its VTEP and VNI. */
  from: z.string().exactOptional(),
  vni: z.string().exactOptional(),
});
export type KnownHost = z.output<typeof HOST>;

/** What the truth of one case must be: each exercise has one of each that it is about. */
const WANTED = z.strictObject({ verdict: z.string().exactOptional(), reason: z.string().exactOptional() });
export type WantedCase = z.output<typeof WANTED>;

const EXERCISE = z.strictObject({
  number: z.int(),
  kind: z.enum(KINDS),
  title: z.string(),
  hints: z.array(z.string()).min(1),
  /** Files for the student, beside task.md. */
  files: z.array(z.string()),
  /** fault: the name of its lab. */
  lab: z.string().exactOptional(),
  /** predict: numbers that differ between students, each from a list; `$NAME` stands for them. */
  numbers: z.record(z.string(), z.array(z.union([z.int(), z.string()]))).exactOptional(),
  hosts: z.array(HOST).exactOptional(),
  cases: z.array(WANTED).exactOptional(),
  /** write: the judge. */
  stage: z.enum(['learning', 'vlan', 'flooding']).exactOptional(),
});

export interface Exercise extends z.output<typeof EXERCISE> {
  readonly name: string;
  /** Its folder in the package. */
  readonly folder: string;
}

/** The folder of the package. */
export const PACKAGE = fileURLToPath(new URL('../..', import.meta.url));
const FOLDER = join(PACKAGE, 'exercises');

/** What a student did wrong with the command, or what a file lacks: said in one line. */
export class ExerciseError extends Error {
  override readonly name = 'ExerciseError';
  readonly code = 'EXERCISE';
}

/** Names only: cheap. */
export function exerciseNames(): string[] {
  return readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/** All exercises, in the order of the course. */
export function exercises(): Exercise[] {
  return exerciseNames()
    .map(read)
    .sort((a, b) => a.number - b.number);
}

/** @throws ExerciseError for an unknown name */
export function exerciseNamed(name: string): Exercise {
  const names = exerciseNames();
  if (names.includes(name)) return read(name);
  const near = nearest(name, names);
  const other = near === undefined ? 'see "overtap exercise list"' : `did you mean "${near}"?`;
  throw new ExerciseError(`unknown exercise "${name}"; ${other}`);
}

function read(name: string): Exercise {
  const folder = join(FOLDER, name);
  const path = join(folder, 'exercise.yaml');
  const { value } = readDocument(readFileSync(path, 'utf8'), path);
  return { ...EXERCISE.parse(value), name, folder };
}

/** A file of the exercise in the package. */
export function fileOf({ folder }: Exercise, name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}
