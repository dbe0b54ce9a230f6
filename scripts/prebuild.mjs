/**
 * Builds the addons that the package carries, into prebuilds/: Node-API is the same in all versions of Node, so one for each
 * architecture and C library does for all. It takes the cross compilers of Debian; `--available` passes over what is missing
 * (`npm pack`), without it that is an error which names the packages (a release).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import headers from 'node-api-headers';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const [target] = JSON.parse(readFileSync(join(ROOT, 'binding.gyp'), 'utf8')).targets;

/** Kernel headers lie beside those of glibc, whose own must not be seen by a build for musl. */
const KERNEL_HEADERS = ['linux', 'asm', 'asm-generic'];

const TARGETS = [
  { arch: 'x64', libc: 'glibc', compiler: 'gcc', kernel: ['/usr/include', '/usr/include/x86_64-linux-gnu'] },
  { arch: 'arm64', libc: 'glibc', compiler: 'aarch64-linux-gnu-gcc', kernel: ['/usr/aarch64-linux-gnu/include'] },
  {
    arch: 'x64',
    libc: 'musl',
    compiler: 'gcc',
    kernel: ['/usr/include', '/usr/include/x86_64-linux-gnu'],
    debian: 'amd64',
    triple: 'x86_64-linux-musl',
  },
  {
    arch: 'arm64',
    libc: 'musl',
    compiler: 'aarch64-linux-gnu-gcc',
    kernel: ['/usr/aarch64-linux-gnu/include'],
    debian: 'arm64',
    triple: 'aarch64-linux-musl',
  },
];
const PACKAGES = 'build-essential gcc-aarch64-linux-gnu libc6-dev-arm64-cross';

/** The C library's headers of a foreign architecture, out of Debian's package, which is not installed. */
function muslHeaders({ debian, triple }, folder) {
  const listed = execFileSync('apt-get', ['download', '--print-uris', 'musl-dev'], { encoding: 'utf8' });
  const native = /'(http[^']+)'/.exec(listed)?.[1];
  if (native === undefined) throw new Error('apt knows no package musl-dev');
  const url = native.replace(/_[a-z0-9]+\.deb$/, `_${debian}.deb`);
  const deb = join(folder, `${debian}.deb`);
  execFileSync('curl', ['-sSfo', deb, url]);
  execFileSync('dpkg', ['-x', deb, join(folder, debian)]);
  return join(folder, debian, 'usr/include', triple);
}

/** Options by which a build sees the headers of musl and of the kernel alone, and is linked to no C library: the process has one. */
function muslOptions(of, folder) {
  const seen = join(folder, `kernel-${of.arch}`);
  mkdirSync(seen, { recursive: true });
  for (const name of KERNEL_HEADERS) {
    const from = of.kernel.map((place) => join(place, name)).find((place) => existsSync(place));
    if (from !== undefined && !existsSync(join(seen, name))) symlinkSync(from, join(seen, name));
  }
  const own = execFileSync(of.compiler, ['-print-file-name=include'], { encoding: 'utf8' }).trim();
  const include = [muslHeaders(of, folder), own, seen].flatMap((place) => ['-isystem', place]);
  // The compiler's own library asks glibc which atomic instructions an arm64 has; the plain ones work on each.
  const atomics = of.arch === 'arm64' ? ['-mno-outline-atomics'] : [];
  return ['-nostdinc', ...include, ...atomics, '-nostdlib', '-Wl,--no-as-needed'];
}

function compile(of, folder) {
  const out = join(ROOT, 'prebuilds', `linux-${of.arch}`, `overtap.${of.libc}.node`);
  mkdirSync(dirname(out), { recursive: true });
  const defines = target.defines.map((define) => `-D${define}`);
  const options = ['-fPIC', '-shared', '-s', '-DNODE_GYP_MODULE_NAME=overtap', `-I${headers.include_dir}`];
  const sources = target.sources.map((source) => join(ROOT, source));
  const words = [...target.cflags, ...defines, ...options, ...(of.libc === 'musl' ? muslOptions(of, folder) : [])];
  execFileSync(of.compiler, [...words, ...sources, ...(of.libc === 'musl' ? ['-lgcc'] : []), '-o', out], {
    stdio: 'inherit',
  });
  console.log(out.slice(ROOT.length));
}

const isMissing = ({ compiler }) => spawnSync(compiler, ['--version']).status !== 0;

const available = process.argv.includes('--available');
const folder = mkdtempSync(join(tmpdir(), 'overtap-prebuild-'));
try {
  for (const of of TARGETS) {
    if (!isMissing(of)) compile(of, folder);
    else if (available) console.log(`no addon for ${of.arch}, ${of.libc}: ${of.compiler} is missing`);
    else throw new Error(`${of.compiler} is missing; on Debian: apt-get install ${PACKAGES}`);
  }
} catch (error) {
  console.error(`prebuild: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
