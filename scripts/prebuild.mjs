/**
 * Builds the addons that the package carries, into prebuilds/, with the library of `overtap exec` and the CNI plugin: Node-API is the
 * same in all versions of Node, so one addon for each architecture and C library does for all. The plugin is linked statically with musl,
 * so one for each architecture runs on every host that its folder is copied to. It takes the cross compilers of Debian; `--available`
 * passes over what is missing (`npm pack`), without it that is an error which names the packages (a release).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import headers from 'node-api-headers';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const [addon, library, plugin] = JSON.parse(readFileSync(join(ROOT, 'binding.gyp'), 'utf8')).targets;

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

/** Debian's package of musl for an architecture, unpacked and not installed: the headers, and the C library itself. */
function unpackMusl({ debian }, folder) {
  const into = join(folder, debian);
  if (existsSync(into)) return into;
  const listed = execFileSync('apt-get', ['download', '--print-uris', 'musl-dev'], { encoding: 'utf8' });
  const [, native, sum] = /'(http[^']+)'.* SHA256:([0-9a-f]{64})/.exec(listed) ?? [];
  if (native === undefined) throw new Error('apt knows no package musl-dev');
  // apt knows the sum of its own architecture's package; of another's, the server's certificate vouches.
  const url = native
    .replace(/_[a-z0-9]+\.deb$/, `_${debian}.deb`)
    .replace('http://deb.debian.org/', 'https://deb.debian.org/');
  const deb = join(folder, `${debian}.deb`);
  execFileSync('curl', ['-sSfo', deb, url]);
  const is = createHash('sha256').update(readFileSync(deb)).digest('hex');
  if (native.endsWith(`_${debian}.deb`) && is !== sum) throw new Error(`${url} is not the package that apt knows`);
  execFileSync('dpkg', ['-x', deb, into]);
  return into;
}

/** Options by which a build sees the headers of musl and of the kernel alone, and is linked to no C library by itself. */
function muslOptions(of, folder) {
  const seen = join(folder, `kernel-${of.arch}`);
  mkdirSync(seen, { recursive: true });
  for (const name of KERNEL_HEADERS) {
    const from = of.kernel.map((place) => join(place, name)).find((place) => existsSync(place));
    if (from !== undefined && !existsSync(join(seen, name))) symlinkSync(from, join(seen, name));
  }
  const own = execFileSync(of.compiler, ['-print-file-name=include'], { encoding: 'utf8' }).trim();
  const headersOfMusl = join(unpackMusl(of, folder), 'usr/include', of.triple);
  const include = [headersOfMusl, own, seen].flatMap((place) => ['-isystem', place]);
  // The compiler's own library asks glibc which atomic instructions an arm64 has; the plain ones work on each.
  const atomics = of.arch === 'arm64' ? ['-mno-outline-atomics'] : [];
  return ['-nostdinc', ...include, ...atomics, '-nostdlib', '-Wl,--no-as-needed'];
}

/** The addon and the library of `overtap exec`; the process has a C library. With musl, the CNI plugin too. */
function compile(of, folder) {
  const place = join(ROOT, 'prebuilds', `linux-${of.arch}`);
  mkdirSync(place, { recursive: true });
  const isMusl = of.libc === 'musl';
  for (const [target, name] of [
    [addon, `overtap.${of.libc}.node`],
    [library, `overtap-exec.${of.libc}.so`],
  ]) {
    const shared = ['-fPIC', '-shared', '-DNODE_GYP_MODULE_NAME=overtap', `-I${headers.include_dir}`];
    const words = [...shared, ...(isMusl ? muslOptions(of, folder) : [])];
    compileOne(of, target, words, isMusl ? ['-lgcc'] : (target.libraries ?? []), join(place, name));
  }
  if (isMusl) compilePlugin(of, folder, place);
}

function compilePlugin(of, folder, place) {
  const musl = unpackMusl(of, folder);
  const part = (name) => join(musl, 'usr/lib', of.triple, name);
  const words = [...muslOptions(of, folder), '-static', part('crt1.o'), part('crti.o')];
  compileOne(of, plugin, words, [part('libc.a'), '-lgcc', part('libc.a'), part('crtn.o')], join(place, 'overtap-cni'));
  // It holds parts of musl, whose licence goes with it.
  copyFileSync(join(musl, 'usr/share/doc/musl-dev/copyright'), join(place, 'overtap-cni.copyright'));
}

/** @param words before the sources @param libraries after them */
function compileOne(of, target, words, libraries, out) {
  const defines = target.defines.map((define) => `-D${define}`);
  const sources = target.sources.map((source) => join(ROOT, source));
  const all = [...target.cflags, ...defines, '-s', ...words, ...sources, ...libraries, '-o', out];
  execFileSync(of.compiler, all, { stdio: 'inherit' });
  console.log(out.slice(ROOT.length));
}

const isMissing = ({ compiler }) => spawnSync(compiler, ['--version']).status !== 0;

const available = process.argv.includes('--available');
const folder = mkdtempSync(join(tmpdir(), 'overtap-prebuild-'));
try {
  for (const of of TARGETS) {
    if (!isMissing(of)) compile(of, folder);
    else if (available) console.log(`nothing for ${of.arch}, ${of.libc}: ${of.compiler} is missing`);
    else throw new Error(`${of.compiler} is missing; on Debian: apt-get install ${PACKAGES}`);
  }
} catch (error) {
  console.error(`prebuild: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
