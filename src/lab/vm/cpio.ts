/** Writes cpio archives of the "new ASCII" format, as the kernel reads an initramfs (Documentation/driver-api/early-userspace). */

export type CpioEntry =
  | { path: string; kind: 'directory' }
  | { path: string; kind: 'file'; content: Uint8Array; mode?: number }
  | { path: string; kind: 'link'; target: string }
  | { path: string; kind: 'character device'; major: number; minor: number };

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';
const DIRECTORY = 0o40755;
const REGULAR = 0o100000;
const LINK = 0o120777;
const CHARACTER = 0o20600;
/** Headers with their names, and contents, end at multiples of this. */
const ALIGNMENT = 4;

/** The archive of these entries, in their order. Folders must come before what is in them. Everything belongs to root. */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, i) => record(entry, i + 1));
  return Buffer.concat([...parts, ...member(0, TRAILER, 0, 1, Buffer.alloc(0))]);
}

function record(entry: CpioEntry, inode: number): Buffer[] {
  const nothing = Buffer.alloc(0);
  switch (entry.kind) {
    case 'directory':
      return member(inode, entry.path, DIRECTORY, 2, nothing);
    case 'file':
      return member(inode, entry.path, REGULAR | (entry.mode ?? 0o644), 1, Buffer.from(entry.content));
    case 'link':
      return member(inode, entry.path, LINK, 1, Buffer.from(entry.target));
    case 'character device':
      return member(inode, entry.path, CHARACTER, 1, nothing, entry);
  }
}

function member(
  inode: number,
  path: string,
  mode: number,
  links: number,
  content: Buffer,
  { major, minor } = { major: 0, minor: 0 },
): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  // Inode, mode, uid, gid, links, mtime, size, device of the file (2), device that it is (2), length of the name, checksum.
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, major, minor, name.length, 0];
  const header = Buffer.from(MAGIC + fields.map((value) => value.toString(16).padStart(8, '0')).join(''));
  return [padded(Buffer.concat([header, name])), padded(content)];
}

function padded(bytes: Buffer): Buffer {
  const rest = bytes.length % ALIGNMENT;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(ALIGNMENT - rest)]);
}
