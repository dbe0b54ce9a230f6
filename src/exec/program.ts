/** Programs that a preloaded library cannot reach. */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Bytes that hold the program headers of every usual ELF file. */
const HEAD_BYTES = 4096;
const PT_INTERP = 3;
/** Of 64-bit ELF files: e_phoff, e_phentsize, e_phnum. */
const AT = { tableOffset: 32, rowBytes: 54, rows: 56 } as const;

/** Why the switch does not hear what a program says to rtnetlink; undefined: it does, or the program is a script. */
export function programFault(program: string, path = ''): string | undefined {
  const file = program.includes('/')
    ? program
    : path
        .split(delimiter)
        .map((folder) => join(folder, program))
        .find(existsSync);
  if (file === undefined) return undefined;
  try {
    if ((statSync(file).mode & 0o6000) !== 0) return `${file} is setuid, so no library is preloaded into it`;
    return isStatic(headOf(file)) ? `${file} is statically linked, so no library is preloaded into it` : undefined;
  } catch {
    return undefined;
  }
}

function headOf(file: string): Buffer {
  const fd = openSync(file, 'r');
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(fd);
  }
}

/** An ELF file that names no loader. */
export function isStatic(head: Buffer): boolean {
  if (head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2) return false;
  const offset = Number(head.readBigUInt64LE(AT.tableOffset));
  const [rowBytes, rows] = [head.readUInt16LE(AT.rowBytes), head.readUInt16LE(AT.rows)];
  for (let row = 0; row < rows; row++) {
    const at = offset + row * rowBytes;
    if (at + 4 > head.length) return false;
    if (head.readUInt32LE(at) === PT_INTERP) return false;
  }
  return rows > 0;
}
