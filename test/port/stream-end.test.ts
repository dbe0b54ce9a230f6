/** The switch's end of a stream: when it dials again, whom it takes, and what it leaves of files. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { acceptStream, bindDatagrams, closeFd, connectStream, listenStream } from '../../src/native/binding.js';
import { FrameSocketError } from '../../src/port/frame-socket-error.js';
import { openSocketFile } from '../../src/port/socket-file.js';
import { StreamEnd, type StreamPeer, type StreamPlace } from '../../src/port/stream-end.js';
import { readNow } from '../native/streams.js';

let folder: string;
let path: string;
let now: number;
const cleanUp: (() => void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ott-end-'));
  path = join(folder, 'a.net');
  now = 1000;
});

afterEach(() => {
  for (const one of cleanUp.splice(0).reverse()) one();
  rmSync(folder, { recursive: true });
});

function end(place: StreamPlace): StreamEnd {
  const made = new StreamEnd(place, () => now);
  cleanUp.push(() => made.close());
  return made;
}

function take(of: StreamEnd): StreamPeer {
  const peer = of.take();
  cleanUp.push(() => peer.close());
  return peer;
}

/** @returns the listening descriptor */
function listener(): number {
  const fd = listenStream(path);
  cleanUp.push(() => closeFd(fd));
  return fd;
}

function dial(): number {
  const fd = connectStream(path);
  cleanUp.push(() => closeFd(fd));
  return fd;
}

const LISTEN = { access: {} };

describe('an end that dials', () => {
  test('says why nobody is there, and looks again after pauses that double up to two seconds', () => {
    const one = end({ connect: path });
    const attempts: number[] = [];
    let before = one.look();
    expect(before).toBe(`there is no socket ${path} yet`);
    // A different failure shows that it has looked again.
    while (attempts.length < 7) {
      if (existsSync(path)) rmSync(path);
      else writeFileSync(path, '');
      const waited = now;
      while (one.look() === before) now += 10;
      attempts.push(now - waited);
      before = one.look();
    }
    expect(attempts).toEqual([100, 200, 400, 800, 1600, 2000, 2000]);
  });

  test('connects when somebody listens, once', () => {
    const fd = listener();
    const one = end({ connect: path });
    expect(one.look()).toBeNull();
    expect(one.look()).toBeNull();
    const peer = take(one);
    expect(one.connections).toBe(1);
    expect(peer.fd).not.toBe(peer.tail);
    const other = acceptStream(fd) as number;
    cleanUp.push(() => closeFd(other));
    expect(acceptStream(fd)).toBeNull();
    peer.close();
    peer.close();
    expect(readNow(other)).toBe('end');
  });

  test('dials at once after a connection that was good, and with a pause after one that was not', () => {
    listener();
    const one = end({ connect: path });
    expect(one.look()).toBeNull();
    take(one);
    now += 5000;
    one.lose(false);
    expect(one.look()).toBeNull();
    take(one);
    one.lose(true);
    expect(one.framingErrors).toBe(1);
    expect(one.look()).not.toBeNull();
    now += 100;
    expect(one.look()).toBeNull();
  });

  test.each([
    ['a file', () => writeFileSync(path, ''), /nothing listens/],
    [
      'a socket of another kind',
      () =>
        void cleanUp.push(
          (
            (fd) => () =>
              closeFd(fd)
          )(bindDatagrams(path)),
        ),
      /is no stream socket/,
    ],
    ['a directory in place of the folder', () => (path = join(folder, 'no', 'a.net')), /there is no socket/],
  ])('%s is no fault but a reason', (_what, make, reason) => {
    make();
    expect(end({ connect: path }).look()).toMatch(reason);
  });

  test('has no room at a socket whose backlog is full, and does not wait for it', () => {
    listener();
    for (;;) {
      try {
        dial();
      } catch {
        break;
      }
    }
    expect(end({ connect: path }).look()).toMatch(/has no room for a further peer/);
  });

  test('that is closed has closed a peer that nobody took', () => {
    const fd = listener();
    const one = end({ connect: path });
    one.look();
    one.close();
    const other = acceptStream(fd) as number;
    cleanUp.push(() => closeFd(other));
    expect(readNow(other)).toBe('end');
    expect(one.look()).not.toBeNull();
  });
});

describe('an end that listens', () => {
  test('takes one peer, and sends the others away', () => {
    const one = end({ listen: path, ...LISTEN });
    expect(one.look()).toBe(`nobody has connected to ${path} yet`);
    dial();
    expect(one.look()).toBeNull();
    take(one);
    const others = [dial(), dial(), dial()];
    one.refuseOthers();
    expect(one.refused).toBe(3);
    for (const other of others) expect(readNow(other)).toBe('end');
  });

  test('removes its file at the end, but not that of another one', () => {
    const one = end({ listen: path, ...LISTEN });
    one.close();
    expect(existsSync(path)).toBe(false);
    const two = end({ listen: path, ...LISTEN });
    renameSync(path, join(folder, 'away'));
    listener();
    two.close();
    two.close();
    expect(lstatSync(path).isSocket()).toBe(true);
  });
});

describe('the file of a socket', () => {
  const open = (): number => {
    const { fd } = openSocketFile(path, {}, listenStream);
    cleanUp.push(() => closeFd(fd));
    return fd;
  };
  const refusal = (): FrameSocketError => {
    try {
      open();
    } catch (error) {
      return error as FrameSocketError;
    }
    throw new Error('it was opened');
  };

  test('is private from the first moment, whatever the umask, and then as it should be', () => {
    const seen: number[] = [];
    const umask = process.umask(0);
    const made = openSocketFile(path, { mode: '0666', group: process.getegid?.() ?? 0 }, (at) => {
      const fd = listenStream(at);
      seen.push(statSync(at).mode & 0o777);
      return fd;
    });
    process.umask(umask);
    cleanUp.push(() => closeFd(made.fd));
    expect(seen).toEqual([0o600]);
    expect(statSync(path).mode & 0o777).toBe(0o666);
    made.setAccess({});
    expect(statSync(path).mode & 0o777).toBe(0o600);
    made.setAccess({ group: 0 });
    expect(statSync(path).mode & 0o777).toBe(0o660);
    expect(() => made.setAccess({ group: 'no-such-group' })).toThrow(/this host has no group no-such-group/);
  });

  test('nothing is left of one that cannot be given to its group', () => {
    expect(() => openSocketFile(path, { group: 'no-such-group' }, listenStream)).toThrow(FrameSocketError);
    expect(existsSync(path)).toBe(false);
  });

  test('takes the place of a dead socket, of whatever kind', () => {
    for (const kind of [listenStream, bindDatagrams]) {
      closeFd(kind(path));
      closeFd(open());
      cleanUp.pop();
      rmSync(path);
    }
  });

  test('a socket that a process has open is left, bound or listening', () => {
    for (const kind of [listenStream, bindDatagrams]) {
      const fd = kind(path);
      expect(refusal()).toMatchObject({
        code: 'EADDRINUSE',
        message: expect.stringMatching(/open already; stop it/) as string,
      });
      closeFd(fd);
      rmSync(path);
    }
  });

  test.each([
    ['a file', () => writeFileSync(path, 'kept')],
    ['a directory', () => mkdirSync(path)],
    ['a link to a file', () => symlinkSync(join(folder, 'x'), path)],
    [
      'a link to a dead socket',
      () => {
        closeFd(listenStream(join(folder, 'dead')));
        symlinkSync(join(folder, 'dead'), path);
      },
    ],
  ])('%s is left as it is', (_what, make) => {
    make();
    const before = lstatSync(path, { bigint: true });
    expect(refusal()).toMatchObject({ code: 'EEXIST' });
    expect(lstatSync(path, { bigint: true })).toMatchObject({ ino: before.ino, mtimeNs: before.mtimeNs });
  });

  test('in no folder, it says so', () => {
    path = join(folder, 'no', 'a.net');
    expect(refusal()).toMatchObject({
      code: 'ENOENT',
      message: expect.stringMatching(/there is no directory .*no; make it/) as string,
    });
  });
});
