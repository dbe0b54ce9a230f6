/**
 * `npm run test:install [-- --packed]`: installs what a user gets on a Debian without compiler, Python or make, and runs it there:
 *
 * - `npm i -g overtap-VERSION.tgz`, which must compile nothing and take less than 10 s, then a lab; the lab by `npx` too;
 * - the .deb: unit and user, a lab, the upgrade to the next revision, removal and purge, after which nothing is left;
 * - of both, the native programs beside the addon: `overtap exec` and the CNI plugin, with a running switch;
 * - the .deb where systemd runs (booted by systemd-nspawn, if that may): a switch goes on across the upgrade and ends with the package;
 *   with the drop-in containers.conf, the plugin gives a namespace its NIC.
 *
 * Root, debootstrap and a mirror of Debian are needed; the base is made once, in the folder for temporary files. All of it happens in
 * mount, process and network namespaces of its own, over a file system in memory, so nothing is left on this machine. Node is this
 * machine's. `--packed`: takes the packages in the project's folder as they are.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SUITE = 'bookworm';
/** What a lab (iproute2), the unit (systemd, and kill of procps) and Node 26 (libatomic1) need. */
const PACKAGES = 'iproute2,libatomic1,procps,systemd';
const BASE = join(tmpdir(), `overtap-base-${SUITE}`);
const WORK = join(tmpdir(), 'overtap-install');
const HOST = join(WORK, 'host');
const INSTALL_LIMIT_S = 10;
const STEP_LIMIT_MS = 5 * 60_000;
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'net/tun'];
const COMPILERS = ['gcc', 'cc', 'c++', 'make', 'python3'];
const LAB = ['lab', 'run', 'one-vxlan-many-vlans'];
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const arch = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();
const deb = (revision) => `overtap_${version}-${revision}_${arch}.deb`;
const tarball = `overtap-${version}.tgz`;

function run(program, ...args) {
  execFileSync(program, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
}

// ---- On this machine: the packages and the base ----------------------------------------------

/** Under another name until it is complete, so that what an interrupted run leaves is not taken for a base. */
function makeBase() {
  if (existsSync(BASE)) return;
  console.log(`making ${BASE} with debootstrap`);
  rmSync(`${BASE}.part`, { recursive: true, force: true });
  run(
    'debootstrap',
    '--variant=minbase',
    `--include=${PACKAGES}`,
    SUITE,
    `${BASE}.part`,
    'http://deb.debian.org/debian',
  );
  run('mv', `${BASE}.part`, BASE);
}

function makePackages() {
  run('npm', 'pack', '--silent');
  for (const revision of [1, 2]) run('node', 'scripts/package-deb.mjs', '--arch', arch, '--revision', `${revision}`);
}

/** Runs a part of this script in namespaces of its own; all that it mounts and starts ends with it. */
function enter(part, ...namespaces) {
  mkdirSync(WORK, { recursive: true });
  const self = [process.execPath, fileURLToPath(import.meta.url), part];
  const { status } = spawnSync('unshare', ['--mount', ...namespaces, ...self], { stdio: 'inherit' });
  rmSync(WORK, { recursive: true, force: true });
  return status ?? 1;
}

// ---- Inside --------------------------------------------------------------------------------

/** The base, with writes in memory, and the packages. */
function mountBase() {
  run('mount', '-t', 'tmpfs', 'tmpfs', WORK);
  for (const name of ['upper', 'work', 'host']) mkdirSync(join(WORK, name));
  const layers = `lowerdir=${BASE},upperdir=${join(WORK, 'upper')},workdir=${join(WORK, 'work')}`;
  run('mount', '-t', 'overlay', 'overlay', '-o', layers, HOST);
  for (const name of [tarball, deb(1), deb(2)]) cpSync(join(ROOT, name), join(HOST, 'root', name));
}

/** A host that runs programs without being booted: the mounts that they need, and a /dev of a few devices. */
function makeHost() {
  mountBase();
  for (const kind of ['proc', 'sysfs', 'tmpfs']) {
    run('mount', '-t', kind, kind, join(HOST, { proc: 'proc', sysfs: 'sys', tmpfs: 'run' }[kind]));
  }
  run('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', join(HOST, 'dev'));
  mkdirSync(join(HOST, 'dev/net'));
  mkdirSync(join(HOST, 'dev/shm'));
  for (const name of DEVICES) {
    writeFileSync(join(HOST, 'dev', name), '');
    run('mount', '--bind', join('/dev', name), join(HOST, 'dev', name));
  }
  run('ip', 'link', 'set', 'lo', 'up');
}

/** Node as a package, since the package of overtap depends on it; npm beside it, as Node's own archives have it. */
function packNode() {
  const npm = join(execFileSync('npm', ['root', '-g'], { encoding: 'utf8' }).trim(), 'npm');
  const stage = join(WORK, 'nodejs');
  mkdirSync(join(stage, 'DEBIAN'), { recursive: true });
  mkdirSync(join(stage, 'usr/bin'), { recursive: true });
  cpSync(process.execPath, join(stage, 'usr/bin/node'));
  chmodSync(join(stage, 'usr/bin/node'), 0o755);
  cpSync(npm, join(stage, 'usr/lib/node_modules/npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(stage, 'usr/bin/npm'));
  const fields = {
    Package: 'nodejs',
    Version: process.versions.node,
    Architecture: arch,
    Maintainer: 'nobody <nobody@localhost>',
  };
  const lines = Object.entries({ ...fields, Description: "this machine's Node" }).map(
    ([key, value]) => `${key}: ${value}\n`,
  );
  writeFileSync(join(stage, 'DEBIAN/control'), lines.join(''));
  run('dpkg-deb', '-Znone', '--build', stage, join(HOST, 'root/nodejs.deb'));
}

/** Runs a program on the host. @throws with its output if it fails */
function on(...command) {
  const { status, stdout, stderr, error } = spawnSync('chroot', [HOST, ...command], {
    encoding: 'utf8',
    timeout: STEP_LIMIT_MS,
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C.UTF-8' },
  });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${`${stdout}${stderr}${error ?? ''}`.slice(-4000)}`);
  return `${stdout}${stderr}`;
}

/** Runs a program on the host and prints how long it took. @returns its output, and seconds */
function step(name, ...command) {
  const began = performance.now();
  const output = on(...command);
  const seconds = (performance.now() - began) / 1000;
  console.log(`${name.padEnd(52)}${seconds.toFixed(1).padStart(6)} s`);
  return { output, seconds };
}

function claim(text, holds) {
  if (!holds) throw new Error(`not so: ${text}`);
  console.log(text);
}

const has = (path) => existsSync(join(HOST, path));
const missing = (program) => spawnSync('chroot', [HOST, 'sh', '-c', `command -v ${program}`]).status !== 0;

/** A switch whose bridge the kernel does not know, and that serves the CNI plugin. */
const CNI_CONFIG = `control: /run/cni1.sock
cni: { bridge: br1, socket: /run/cni1.plugin }
bridges: { br1: { ports: { tap2: { type: tap } } } }
`;
/** Where the documentation has the plugin put for runtimes. */
const PLUGINS = '/opt/cni/bin';

/** Calls the plugin as a runtime does, with its command, the socket of the switch, and the namespace. */
const CALL = `#!/bin/sh
export CNI_COMMAND="$1" CNI_CONTAINERID=c1 CNI_NETNS="\${3:-/run/netns/c1}" CNI_IFNAME=eth0 CNI_PATH=${PLUGINS}
printf '{"cniVersion":"1.1.0","name":"blue","type":"overtap-cni","socket":"%s"}' "$2" | ${PLUGINS}/overtap-cni
`;

/** `command` in the background, until a switch says that it is ready. @returns its process */
function start(command, output) {
  const pid = on('sh', '-c', `${command} >${output} 2>&1 & echo $!`).trim();
  on('sh', '-c', `for i in $(seq 100); do grep -q ready ${output} && exit; sleep 0.1; done; cat ${output}; exit 1`);
  return pid;
}

/** @param plugin the line by which the documentation puts the plugin into PLUGINS */
function proveNativePrograms(plugin) {
  claim('doctor finds the CNI plugin', /^ok +CNI plugin: \/usr\/.*\/overtap-cni$/m.test(doctor()));
  on('sh', '-ec', `mkdir -p ${PLUGINS}; ${plugin}`);
  writeFileSync(join(HOST, 'root/cni1.yaml'), CNI_CONFIG);
  writeFileSync(join(HOST, 'root/call'), CALL, { mode: 0o755 });
  const pid = start('overtap run -c /root/cni1.yaml', '/root/started-cni');
  const show = ['ip', '-o', 'link', 'show'];
  claim('the kernel has no br1', !on(...show).includes(' br1:'));
  const { output } = step('overtap exec', 'overtap', '-s', '/run/cni1.sock', 'exec', '--', ...show);
  claim('overtap exec: "ip link show" has br1, and lo', output.includes(' br1:') && output.includes(' lo:'));
  const call = (command) => on('/root/call', command, '/run/cni1.plugin');
  claim('overtap-cni VERSION', JSON.parse(call('VERSION')).supportedVersions.includes('1.1.0'));
  on('ip', 'netns', 'add', 'c1');
  claim('overtap-cni ADD', JSON.parse(call('ADD')).interfaces[0].sandbox === '/run/netns/c1');
  on('ip', '-n', 'c1', 'link', 'show', 'eth0');
  call('DEL');
  claim('overtap-cni DEL', !on('ip', '-n', 'c1', '-o', 'link', 'show').includes('eth0'));
  on('ip', 'netns', 'del', 'c1');
  on('kill', pid);
  on('rm', '-r', PLUGINS);
}

/** Its findings, whatever its status. */
const doctor = () => on('sh', '-c', 'overtap doctor --host || true');

function installTarball() {
  const { seconds } = step('npm install -g', 'npm', 'install', '-g', '--no-audit', '--no-fund', `/root/${tarball}`);
  claim(`took less than ${INSTALL_LIMIT_S} s`, seconds < INSTALL_LIMIT_S);
  const [folder] = ['usr/lib/node_modules/overtap', 'usr/local/lib/node_modules/overtap'].filter(has);
  claim('compiled nothing', folder !== undefined && !has(`${folder}/build`));
  claim('installed no other package', !has(`${folder}/node_modules`));
  step('the lab, with all its properties', 'overtap', ...LAB);
  const carried = '"$(npm root -g)"/overtap/prebuilds/linux-$(node -p process.arch)/overtap-cni';
  proveNativePrograms(`cp ${carried} ${PLUGINS}/`);
  step('npm uninstall -g', 'npm', 'uninstall', '-g', 'overtap');
  const npx = ['node', '/usr/lib/node_modules/npm/bin/npx-cli.js', '--yes', `--package=/root/${tarball}`];
  step('npx, without an installation', ...npx, '--', 'overtap', ...LAB);
}

const STARTED = '/root/started';

const CONFIG = 'control: /run/host1.sock\nbridges: { br1: { ports: { tap1: { type: tap } } } }\n';

function installDeb() {
  step(deb(1), 'dpkg', '-i', `/root/${deb(1)}`);
  claim('the user of the service is there', /^overtap:/m.test(on('cat', '/etc/passwd')));
  writeFileSync(join(HOST, 'etc/overtap/host1.yaml'), CONFIG);
  const { output } = step('systemd-analyze verify', 'systemd-analyze', 'verify', '--man=no', 'overtap@host1.service');
  claim('the unit has no faults', !output.includes('overtap@'));
  for (const page of ['man1/overtap.1.gz', 'man5/overtap.yaml.5.gz']) on('gzip', '-t', `/usr/share/man/${page}`);
  on('bash', '-n', '/usr/share/bash-completion/completions/overtap');
  step('the lab, with all its properties', 'overtap', ...LAB);
  proveNativePrograms(`ln -s /usr/lib/cni/overtap-cni ${PLUGINS}/`);
}

function upgradeAndRemove() {
  // As one that systemd started would, it runs across the upgrade.
  const pid = start('overtap run -c /etc/overtap/host1.yaml', STARTED);
  step(deb(2), 'dpkg', '-i', `/root/${deb(2)}`);
  claim('the upgrade kept the configuration', has('etc/overtap/host1.yaml'));
  claim('the switch went on across it', existsSync(`/proc/${pid}`));
  on('overtap', '-s', '/run/host1.sock', 'link', 'show');
  on('kill', pid);
  const files = on('dpkg', '-L', 'overtap')
    .split('\n')
    .filter((path) => path !== '' && path !== '/.');
  const wants = 'etc/systemd/system/multi-user.target.wants';
  on('systemctl', 'enable', 'overtap@host1.service');
  step('dpkg --remove', 'dpkg', '--remove', 'overtap');
  claim("the removal left the administrator's file", has('etc/overtap/host1.yaml'));
  rmSync(join(HOST, 'etc/overtap/host1.yaml'));
  step('dpkg --purge', 'dpkg', '--purge', 'overtap');
  claim(
    'nothing enabled is left',
    readdirSync(join(HOST, wants)).every((name) => !name.startsWith('overtap')),
  );
  claim('no file is left', !files.some((path) => path.includes('overtap') && has(path)));
}

// ---- Booted --------------------------------------------------------------------------------

/** Each line of its output that begins with "- " is a finding. */
const EXAMINE = `#!/bin/bash
exec >/root/found 2>&1
show() { systemctl show -P "$1" overtap@host1; }
dpkg -i /root/nodejs.deb /root/${deb(1)}
printf '%s' '${CONFIG.replace('/run/', '/run/overtap/')}' >/etc/overtap/host1.yaml
systemctl enable --now overtap@host1
echo "- started: $(systemctl is-active overtap@host1) as $(ps -o user= -p "$(show MainPID)")"
systemctl reload overtap@host1; echo "- reload: $?"
pid=$(show MainPID)
dpkg -i /root/${deb(2)} >/root/upgrade
echo "- $(grep '^overtap: ' /root/upgrade)"
echo "- upgrade: same process $([ "$(show MainPID)" = "$pid" ] && echo yes), NeedDaemonReload=$(show NeedDaemonReload)"
systemctl restart overtap@host1; echo "- restart: $? $(systemctl is-active overtap@host1)"
links() { grep -o ' br1:'; }
echo "- exec: ip shows$(overtap -s /run/overtap/host1.sock exec -- ip -o link show | links), the kernel's$(ip -o link show | links)"
mkdir -p ${PLUGINS} /etc/systemd/system/overtap@cni1.service.d; ln -s /usr/lib/cni/overtap-cni ${PLUGINS}/
cp /usr/share/doc/overtap/examples/containers.conf /etc/systemd/system/overtap@cni1.service.d/
printf '%s' '${CNI_CONFIG.replaceAll('/run/', '/run/overtap/')}' >/etc/overtap/cni1.yaml
systemctl daemon-reload; systemctl start overtap@cni1
ip netns add c1
# As Docker has it: mounted after the start of the switch, in a folder of root.
mkdir -m 700 /run/private; touch /run/private/c1; mount --bind /run/netns/c1 /run/private/c1
/root/call ADD /run/overtap/cni1.plugin /run/private/c1; echo "- CNI: ADD $?, $(ip -n c1 -o link show | grep -o 'eth0: <[^>]*>')"
systemctl restart overtap@cni1; echo "- CNI: after a restart$(ip -n c1 -o link show | grep -o ' eth0')"
/root/call DEL /run/overtap/cni1.plugin /run/private/c1; echo "- CNI: DEL $?, left:$(ip -n c1 -o link show | grep -o ' eth0')"
umount /run/private/c1; ip netns del c1; systemctl stop overtap@cni1; journalctl -u overtap@cni1 --no-pager
rm -r /etc/systemd/system/overtap@cni1.service.d /etc/overtap/cni1.yaml ${PLUGINS}
dpkg --remove overtap; journalctl -u overtap@host1 --no-pager | tail -5; echo "- removed: $(systemctl is-active overtap@host1)"
rm /etc/overtap/host1.yaml; dpkg --purge overtap
echo "- left:$(find /etc /usr /var/lib/dpkg /lib/ -xdev -name '*overtap*')"
`;
const FOUND = [
  'started: active as overtap',
  'reload: 0',
  `overtap: running switches go on with version ${version}-1; each takes the new one with: systemctl restart overtap@NAME`,
  'upgrade: same process yes, NeedDaemonReload=no',
  'restart: 0 active',
  "exec: ip shows br1:, the kernel's",
  'CNI: ADD 0, eth0: <BROADCAST,MULTICAST,UP,LOWER_UP>',
  'CNI: after a restart eth0',
  'CNI: DEL 0, left:',
  'removed: inactive',
  'left:',
];

/** The .deb where systemd runs: a switch starts, goes on across an upgrade, and ends with the package. */
function booted() {
  mountBase();
  packNode();
  writeFileSync(join(HOST, 'root/examine'), EXAMINE, { mode: 0o755 });
  writeFileSync(join(HOST, 'root/call'), CALL, { mode: 0o755 });
  const unit =
    '[Unit]\nRequires=sysinit.target\nAfter=sysinit.target\nSuccessAction=poweroff-force\nFailureAction=poweroff-force\n' +
    '[Service]\nType=oneshot\nExecStart=/root/examine\nTimeoutStartSec=80\n';
  writeFileSync(join(HOST, 'etc/systemd/system/examine.service'), unit);
  const tun = join(WORK, 'tun');
  run('mknod', '-m', '666', tun, 'c', '10', '200');
  const quiet = ['--register=no', '--keep-unit', '--quiet', '--console=pipe', '--private-network', '--capability=all'];
  const words = [`--directory=${HOST}`, `--bind=${tun}:/dev/net/tun`, '--boot', 'systemd.unit=examine.service'];
  spawnSync('systemd-nspawn', [...quiet, ...words], { stdio: 'ignore', timeout: STEP_LIMIT_MS, killSignal: 'SIGKILL' });
  if (!has('root/found')) return console.log('not booted: no systemd-nspawn, or it may not');
  const text = readFileSync(join(HOST, 'root/found'), 'utf8');
  const found = text.split('\n').filter((line) => line.startsWith('- '));
  if (found.join() !== FOUND.map((line) => `- ${line}`).join()) throw new Error(`under systemd:\n${text}`);
  console.log(`under systemd:\n${found.join('\n')}`);
}

function inside() {
  makeHost();
  claim(`${SUITE} without ${COMPILERS.join(', ')}`, COMPILERS.every(missing));
  packNode();
  step('Node', 'dpkg', '-i', '/root/nodejs.deb');
  console.log(`Node ${on('node', '--version').trim()}, npm ${on('npm', '--version').trim()}`);
  installTarball();
  installDeb();
  upgradeAndRemove();
}

try {
  if (process.argv.includes('--inside')) inside();
  else if (process.argv.includes('--booted')) booted();
  else {
    makeBase();
    if (!process.argv.includes('--packed')) makePackages();
    const own = ['--pid', '--net', '--ipc', '--uts', '--fork', '--kill-child', '--mount-proc'];
    process.exitCode = enter('--inside', ...own) || enter('--booted');
  }
} catch (error) {
  console.error(`test:install: ${error.message}`);
  process.exitCode = 1;
}
