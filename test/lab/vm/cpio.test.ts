/** The archive that becomes the root of a guest, byte for byte. */
import { expect, test } from 'vitest';
import { cpio } from '../../../src/lab/vm/cpio.js';

/** A header without its name: inode, mode, links, size, device, length of the name. */
const header = (
  inode: number,
  mode: number,
  links: number,
  size: number,
  device: [number, number],
  name: number,
): string =>
  `070701${[inode, mode, 0, 0, links, 0, size, 0, 0, ...device, name, 0].map((word) => word.toString(16).padStart(8, '0')).join('')}`;

const TRAILER = `${header(0, 0, 1, 0, [0, 0], 11)}TRAILER!!!\0\0\0\0`;

test('an empty archive has its trailer only', () => {
  expect(cpio([]).toString('latin1')).toBe(TRAILER);
});

test('folders, files, links and devices, each ending at a multiple of four', () => {
  const archive = cpio([
    { path: 'bin', kind: 'directory' },
    { path: 'bin/a', kind: 'file', content: Buffer.from('hello'), mode: 0o755 },
    { path: 'note', kind: 'file', content: Buffer.alloc(0) },
    { path: 'bin/sh', kind: 'link', target: 'a' },
    { path: 'dev', kind: 'character device', major: 5, minor: 1 },
  ]);
  expect(archive.toString('latin1')).toBe(
    [
      `${header(1, 0o40755, 2, 0, [0, 0], 4)}bin\0\0\0`,
      `${header(2, 0o100755, 1, 5, [0, 0], 6)}bin/a\0hello\0\0\0`,
      `${header(3, 0o100644, 1, 0, [0, 0], 5)}note\0\0`,
      `${header(4, 0o120777, 1, 1, [0, 0], 7)}bin/sh\0\0\0\0a\0\0\0`,
      `${header(5, 0o20600, 1, 0, [5, 1], 4)}dev\0\0\0`,
      TRAILER,
    ].join(''),
  );
});
