/**
 * The operating system of a virtual machine: the kernel of Debian's cloud image and busybox, from Debian's packages alone. Built
 * once and kept in a folder of the user's; it takes some seconds then.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { makeFolder } from '../../port/folder.js';
import { LabError } from '../testbed/errors.js';
import { must, Program } from '../testbed/program.js';
import { type CpioEntry, cpio } from './cpio.js';
import { GUEST_INIT } from './guest-init.js';

export interface GuestImage {
  /** Paths of the files that QEMU starts. */
  kernel: string;
  initrd: string;
  /** Of the kernel, such as 6.1.0-57-cloud-amd64. */
  version: string;
}

export interface GuestImageOptions {
  /** Modules of the kernel that are loaded at start, in addition to those of virtio-net: `8021q`, `vxlan` ... */
  modules?: readonly string[];
  /** Programs of this host that the guest has too, with their libraries: paths such as /sbin/bridge. */
  programs?: readonly string[];
  /** Where images are kept; default: a folder of this user in that of temporary files. */
  folder?: string;
  /** Takes a line about what is downloaded. */
  say?: (line: string) => void;
  /** Ends the work when it is aborted: nothing of a download is left. */
  signal?: AbortSignal | undefined;
}

/** Of the guests, and what a container pings with. */
export const BUSYBOX = '/bin/busybox';
const PACKAGE = 'linux-image-cloud-amd64';
/** virtio itself is a module of that kernel. */
const MODULES = ['virtio_pci', 'virtio_net'];
const DOWNLOAD_LIMIT_MS = 300_000;

const TOOLS = [
  { path: 'qemu-system-x86_64', package: 'qemu-system-x86' },
  { path: BUSYBOX, package: 'busybox-static' },
  { path: 'modprobe', package: 'kmod' },
  { path: 'dpkg-deb', package: 'dpkg' },
  { path: 'apt-get', package: 'apt' },
];
const FOLDERS = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];

/** Whether virtual machines can run on this host. @throws LabError LAB_LACKS_TOOL with the packages that are missing */
export function needVirtualMachines(
  isThere: (path: string) => boolean = existsSync,
  arch: string = process.arch,
): void {
  if (arch !== 'x64')
    throw new LabError(
      'LAB_LACKS_TOOL',
      `virtual machines run the kernel of x86-64, and this host is ${arch}: use another host`,
    );
  const find = (path: string): boolean =>
    path.startsWith('/') ? isThere(path) : FOLDERS.some((folder) => isThere(join(folder, path)));
  const missing = TOOLS.filter((tool) => !find(tool.path)).map((tool) => tool.package);
  if (missing.length === 0) return;
  const command = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  throw new LabError('LAB_LACKS_TOOL', `virtual machines need what is missing here; on Debian: ${command}`);
}

/**
 * The image with these modules and programs, built unless it is there.
 * @throws LabError LAB_LACKS_TOOL, LAB_COMMAND_FAILED when the kernel's package cannot be had
 */
export async function guestImage({
  modules = [],
  programs = [],
  folder = ownFolder(),
  say = () => undefined,
  signal,
}: GuestImageOptions = {}): Promise<GuestImage> {
  needVirtualMachines();
  const tree = await kernelTree(folder, say, signal);
  const version = readdirSync(join(tree, 'lib/modules'))[0];
  const entries = [...FILES, ...moduleEntries(await modulePaths(tree, version, [...MODULES, ...modules]))];
  entries.push(...(await programEntries(programs)));
  const image = cpio(entries);
  const initrd = join(folder, `initramfs-${createHash('sha256').update(image).digest('hex').slice(0, 16)}.gz`);
  if (!existsSync(initrd)) inPlace(initrd, (path) => writeFileSync(path, gzipSync(image)));
  return { kernel: join(tree, 'boot', `vmlinuz-${version}`), initrd, version };
}

/** In a folder for everyone, it must be this user's, or another one could choose the kernel. */
function ownFolder(): string {
  const folder = join(tmpdir(), `overtap-guest-${process.getuid?.() ?? 0}`);
  makeFolder(folder, 0o700);
  const { uid, mode } = lstatSync(folder);
  if (uid === process.getuid?.() && (mode & 0o022) === 0) return folder;
  throw new LabError('LAB_NAME_TAKEN', `${folder} belongs to another user, or others may write there: remove it`);
}

/** Makes a file or folder under another name first, so that it is whole under its own. */
function inPlace(path: string, make: (path: string) => void): void {
  const temporary = mkdtempSync(`${path}.`);
  try {
    make(join(temporary, 'new'));
    renameSync(join(temporary, 'new'), path);
  } catch (error) {
    // Another process may have made the same folder meanwhile.
    if (!existsSync(path)) throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

// ---- The kernel ----

/** The files of the kernel's package, of its present version. */
async function kernelTree(
  folder: string,
  say: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<string> {
  const described = await must(['apt-cache', 'depends', PACKAGE], { name: `apt-cache depends ${PACKAGE}` });
  const name = /Depends: (linux-image-\S+)/.exec(described)?.[1];
  if (name === undefined)
    throw new LabError('LAB_COMMAND_FAILED', `this host knows no package ${PACKAGE}: run apt-get update, on Debian`);
  const tree = join(folder, name);
  if (existsSync(tree)) return tree;
  say(`apt-get download ${name}: the kernel of virtual machines, kept in ${folder}`);
  const download = mkdtempSync(join(folder, 'download-'));
  try {
    await must(['sh', '-c', 'cd "$0" && apt-get -q download "$1"', download, name], {
      name: `apt-get download ${name} (apt-get update first?)`,
      limitMs: DOWNLOAD_LIMIT_MS,
      signal,
    });
    const [archive] = readdirSync(download).filter((file) => file.endsWith('.deb'));
    const unpacked = join(download, 'tree');
    await must(['dpkg-deb', '-x', join(download, archive), unpacked], { signal });
    const [version] = readdirSync(join(unpacked, 'lib/modules'));
    await must(['depmod', '-b', unpacked, version]);
    inPlace(tree, (path) => renameSync(unpacked, path));
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
  return tree;
}

/** Files of modules and of those that they need, in the order in which they are loaded. */
async function modulePaths(tree: string, version: string, modules: readonly string[]): Promise<string[]> {
  const paths = new Set<string>();
  for (const name of modules) {
    const shown = await must(['modprobe', '-d', tree, '-S', version, '--show-depends', name]);
    for (const [, path] of shown.matchAll(/^insmod (\S+)/gm)) paths.add(path);
  }
  return [...paths];
}

// ---- The initramfs ----

const executable = (path: string, content: Uint8Array): CpioEntry => ({ path, kind: 'file', content, mode: 0o755 });

const directory = (path: string): CpioEntry => ({ path, kind: 'directory' });

/** What every guest has. */
const FILES: readonly CpioEntry[] = [
  ...['bin', 'sbin', 'proc', 'sys', 'dev', 'modules', 'tmp', 'root'].map(directory),
  { path: 'dev/console', kind: 'character device', major: 5, minor: 1 },
  { path: 'bin/sh', kind: 'link', target: 'busybox' },
  executable('init', Buffer.from(GUEST_INIT)),
];

function moduleEntries(paths: readonly string[]): CpioEntry[] {
  const files = paths.map(
    (path): CpioEntry => ({
      path: `modules/${basename(path)}`,
      kind: 'file',
      content: readFileSync(path),
    }),
  );
  const order = paths.map((path) => `${basename(path)}\n`).join('');
  return [
    executable('bin/busybox', readFileSync(BUSYBOX)),
    ...files,
    { path: 'modules/order', kind: 'file', content: Buffer.from(order) },
  ];
}

/** Programs and the libraries that the loader finds for them, under the paths that they have here. */
async function programEntries(programs: readonly string[]): Promise<CpioEntry[]> {
  const paths = new Set<string>();
  for (const program of programs) {
    paths.add(program);
    const { stdout } = await new Program(['ldd', program]).ended;
    for (const [, path] of stdout.matchAll(/(\/\S+) \(0x/g)) paths.add(path);
  }
  const folders = new Set<string>();
  for (const path of paths) for (let at = dirname(path); at !== '/'; at = dirname(at)) folders.add(at.slice(1));
  const known = new Set(FILES.map(({ path }) => path));
  return [
    ...[...folders]
      .filter((path) => !known.has(path))
      .sort()
      .map(directory),
    ...[...paths].map((path) => executable(path.slice(1), readFileSync(path))),
  ];
}
