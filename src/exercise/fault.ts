/** Judges "find the fault": the student's lab, which is up, by checks of the exercise; those in the student's file do not count. */
import { join } from 'node:path';
import { gradeLab } from '../lab/index.js';
import { type Exercise, ExerciseError, fileOf } from './catalog.js';
import type { Verdict } from './verdict.js';

/** @param print takes each line as it comes: the checks take seconds */
export async function judgeFault(exercise: Exercise, folder: string, print: (line: string) => void): Promise<Verdict> {
  if (exercise.lab === undefined) throw new ExerciseError(`${exercise.name} has no lab`);
  const original = { text: fileOf(exercise, 'lab.yaml'), hidden: fileOf(exercise, 'hidden.yaml') };
  const { isUp, changed, solved } = await gradeLab(exercise.lab, original, print);
  if (!isUp)
    throw new ExerciseError(`lab ${exercise.lab} is not up; bring it up: overtap lab up ${join(folder, 'lab.yaml')}`);
  if (changed !== undefined)
    return {
      solved: false,
      lines: [
        `FAILED hosts and guests are those of the exercise: ${changed}`,
        'mend the switches; leave hosts, guests and addresses',
      ],
    };
  return { solved, lines: [] };
}
