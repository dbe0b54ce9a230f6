/** "Say what happens": cases by a seed, whose truth is what the switch then really does; answers right and wrong. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Document } from '../../src/config/edit/tree.js';
import { readDocument } from '../../src/config/read/document.js';
import { MemorySwitch } from '../../src/control/memory/memory-switch.js';
import { exerciseNamed } from '../../src/exercise/catalog.js';
import { readAnswers, truthOf } from '../../src/exercise/predict/answers.js';
import { bytesOf, type CaseSet, casesOf } from '../../src/exercise/predict/cases.js';
import { hasTag, tci, vidOf } from '../../src/wire/vlan.js';
import { viewOf } from '../../src/wire/bytes.js';
import { long } from '../long.js';
import { type Classroom, classroom } from './exercise-support.js';

let room: Classroom;
beforeAll(() => {
  room = classroom();
});
afterAll(() => room.remove());

const PREDICT = ['predict-vlan', 'predict-drop', 'predict-flood'];

const answersOf = ({ cases }: CaseSet): string =>
  cases.map(({ truth }, at) => `${at + 1}: ${[...truthOf(truth)].reverse().join(' , ')}`).join('\n');

describe.each(PREDICT)('%s', (name) => {
  it('has for each student the cases that the exercise wants', async () => {
    const exercise = exerciseNamed(name);
    const sets = await Promise.all(['ann', 'bob', 'ann'].map((student) => casesOf(exercise, `${student} ${name}`)));
    expect(sets[0]).toEqual(sets[2]);
    expect(sets[0]?.cases).not.toEqual(sets[1]?.cases);
    const wanted = exercise.cases?.map(({ verdict, reason }) => `${verdict} ${reason}`).sort();
    for (const { cases } of sets)
      expect(cases.map(({ truth }) => `${truth.verdict} ${truth.reason}`).sort()).toEqual(wanted);
  });

  it('knows what the switch really does', async () => {
    for (let student = 0; student < long(40, 2); student++) {
      const set = await casesOf(exerciseNamed(name), `student ${student}`);
      for (const { question, truth } of set.cases)
        expect(await really(set, question)).toEqual([...sentOf(truth)].sort());
    }
  });

  it('is solved by the right answers alone', async () => {
    const course = room.course('ann');
    await course.start(name, () => undefined);
    const empty = await room.check(course, name);
    expect(empty).toMatchObject({ solved: false });
    expect(empty.text).toMatch(/FAILED case 1 \(at .*\): there is no answer/);
    const set = await casesOf(exerciseNamed(name), `ann ${name}`);
    writeFileSync(room.file('ann', name, 'answers.txt'), answersOf(set));
    expect(await room.check(course, name)).toMatchObject({ solved: true });
  });

  it('explains a wrong answer, and has another case in its place', async () => {
    const course = room.course('bob');
    await course.start(name, () => undefined);
    const set = await casesOf(exerciseNamed(name), `bob ${name}`);
    const wrong = answersOf(set).replace(/^2: .*$/m, '2: p1 tag 77');
    const path = room.file('bob', name, 'answers.txt');
    const before = readFileSync(room.file('bob', name, 'cases.txt'), 'utf8');
    writeFileSync(path, wrong);
    const found = await room.check(course, name);
    expect(found.solved).toBe(false);
    expect(found.text).toMatch(
      /FAILED case 2 \(.*\): you say "p1 tag 77", and that does not happen; ".+" is missing\. \S/,
    );
    expect(found.text).toContain(`${set.cases.length - 1} of ${set.cases.length} cases right`);
    expect(readFileSync(path, 'utf8')).toBe(wrong.replace(/^2: .*$/m, '2: '));
    expect(readFileSync(room.file('bob', name, 'cases.txt'), 'utf8')).not.toBe(before);
    const again = await casesOf(exerciseNamed(name), `bob ${name}`, [0, 1]);
    writeFileSync(path, answersOf(again));
    expect(await room.check(course, name)).toMatchObject({ solved: true });
  });
});

const sentOf = (truth: CaseSet['cases'][number]['truth']): string[] =>
  truth.verdict === 'dropped' ? [] : [...truthOf(truth)];

/** Puts the frame into a switch that has heard the hosts. @returns what leaves, in the words of answers */
async function really(
  { config, hosts }: CaseSet,
  { port, from, vni, frame }: CaseSet['cases'][number]['question'],
): Promise<string[]> {
  const sw = await MemorySwitch.start(readDocument(config, 'switch.yaml').value as Document, { fdbSize: 1024 });
  try {
    for (const host of hosts) {
      const hello = bytesOf(`src ${host.mac} dst broadcast ${host.tag ? `vlan ${host.tag} ` : ''}type 0x88b5`);
      if (host.from === undefined) sw.put(host.port, hello);
      else sw.putDatagram(host.port, { from: host.from, vni: Number(host.vni) }, hello);
      await sw.run();
    }
    if (from === undefined || vni === undefined) sw.put(port, bytesOf(frame));
    else sw.putDatagram(port, { from, vni }, bytesOf(frame));
    const left = await sw.run();
    return left
      .map(({ port: to, remote, frame: bytes }) => {
        const view = viewOf(bytes);
        const tag = hasTag(view, 0) ? ` tag ${vidOf(tci(view, 0))}` : '';
        return `${to}${remote === undefined ? '' : ` to ${remote.address} vni ${remote.vni}`}${tag}`;
      })
      .sort();
  } finally {
    sw.stop();
  }
}

describe('answers', () => {
  const read = (text: string) => readAnswers(text, ['p1', 'vxlan0'], ['no_pvid', 'same_port'], 3).answers.get(1);

  it.each([
    ['1: p1', ['p1']],
    ['  1 :p1 tag 10,vxlan0  to 192.0.2.2  vni 7 # because', ['p1 tag 10', 'vxlan0 to 192.0.2.2 vni 7']],
    ['1: drop no_pvid', ['drop no_pvid']],
    ['1: dropped: same_port', ['drop same_port']],
  ])('%s', (text, copies) => expect([...(read(text) as Set<string>)]).toEqual(copies));

  it.each([
    ['1: p9', 'there is no port "p9"; there are p1, vxlan0'],
    ['1: p1 p1', '"p1 p1" is no copy; write PORT, PORT tag VID, or PORT to ADDRESS vni VNI'],
    ['1: p1, p1', '"p1" stands there twice'],
    ['1: drop no_pvit', '"no_pvit" is no drop reason; did you mean "no_pvid"?'],
    ['1: drop', '"" is no drop reason; the names are in docs/semantics.md'],
    ['1: p1\n1: p1', 'it is answered twice'],
  ])('%s is told', (text, fault) => expect(read(text)).toEqual({ fault }));

  it.each(['', '1:', '# 1: p1', 'p1', '1: # p1'])('"%s" is none', (text) => expect(read(text)).toBeUndefined());

  it.each([
    ['1: p1\n2. p1', ['line 2 is no answer: "2. p1"; write "CASE: COPY, COPY" or "CASE: drop REASON"']],
    ['4: p1', ['line 1 answers case 4; there are cases 1 to 3']],
    ['0: p1', ['line 1 answers case 0; there are cases 1 to 3']],
    ['\ufeff# told\r\n4:\r\n1: p1\r\n', []],
    ['x\n'.repeat(9), Array.from({ length: 5 }, (_, at) => expect.stringMatching(`^line ${at + 1} is no answer`))],
  ])('lines of %j that answer nothing are told', (text, strays) => {
    expect(readAnswers(text, ['p1', 'vxlan0'], ['no_pvid', 'same_port'], 3).strays).toEqual(strays);
  });
});
