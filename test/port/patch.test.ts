import { readSync, writeSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { openPatch, type PatchEnd } from '../../src/port/patch.js';

const ends: PatchEnd[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end.close();
});

function open(queues = 1): PatchEnd {
  const end = openPatch(queues);
  ends.push(end);
  return end;
}

function take(end: PatchEnd): PatchEnd {
  const other = end.takeOther();
  if (other === undefined) throw new Error('no end is free');
  ends.push(other);
  return other;
}

const isOpen = (end: PatchEnd): boolean => {
  try {
    writeSync(end.fds[0], Buffer.alloc(60));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBADF') return false;
    return true; // the other end is gone
  }
};

test('each engine has a pair of its own', () => {
  const near = open(3);
  const far = take(near);
  for (const [queue, fd] of near.fds.entries()) {
    writeSync(fd, Buffer.from([queue]));
    const got = Buffer.alloc(8);
    expect(readSync(far.fds[queue], got)).toBe(1);
    expect(got[0]).toBe(queue);
  }
});

test('the other end is taken once, and may be given back', () => {
  const near = open();
  const far = take(near);
  expect(near.takeOther()).toBeUndefined();
  expect(far.takeOther()).toBeUndefined();
  far.giveBack();
  expect(near.takeOther()).toBe(far);
});

test('an end takes a free other end along when it is closed, and leaves one in use', () => {
  const alone = open();
  const spare = take(alone);
  spare.giveBack();
  alone.close();
  expect(isOpen(spare)).toBe(false);

  const near = open();
  const far = take(near);
  near.close();
  near.close();
  expect(isOpen(far)).toBe(true);
  expect(far.takeOther()).toBeUndefined();
  far.giveBack();
  expect(isOpen(far)).toBe(false);
});
