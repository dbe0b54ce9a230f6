/**
 * First step of `npm test`: checks the tools that only tests need. As root on Debian it installs missing ones; elsewhere it
 * reports all missing ones and the install command in one error. `--system` stops there; `--compiled` has only the packages of
 * npm that are compiled, which need the former.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

const TOOLS = [
  { command: 'ip', package: 'iproute2' },
  { command: 'brctl', package: 'bridge-utils' },
  { command: 'ping', package: 'iputils-ping' },
  { command: 'tcpdump', package: 'tcpdump' },
  { command: 'setpriv', package: 'util-linux' },
  { command: 'taskset', package: 'util-linux' },
  { command: 'iperf3', package: 'iperf3' },
  { command: 'ethtool', package: 'ethtool' },
  { command: 'nft', package: 'nftables' },
  { command: 'trafgen', package: 'netsniff-ng' },
  { command: 'sockperf', package: 'sockperf' },
  { command: 'capsh', package: 'libcap2-bin' },
  { command: 'systemd-analyze', package: 'systemd' },
  { command: 'man', package: 'man-db' },
  { command: 'mandoc', package: 'mandoc' },
  { command: 'zsh', package: 'zsh' },
  { command: 'fish', package: 'fish' },
  // Neighbours of the BGP speaker, and a store of peers.
  { file: '/usr/lib/frr/bgpd', package: 'frr' },
  { command: 'gobgpd', package: 'gobgpd' },
  { command: 'etcd', package: 'etcd-server' },
  // A multicast router.
  { command: 'smcrouted', package: 'smcroute' },
  // Containers on two hosts.
  { command: 'dockerd', package: 'docker.io' },
  { file: '/bin/busybox', package: 'busybox-static' },
  { file: '/usr/lib/cni/host-local', package: 'containernetworking-plugins' },
  { file: '/usr/include/pcap/pcap.h', package: 'libpcap-dev' },
  // Virtual machines: their kernel is downloaded by the tests, from Debian too.
  ...(process.env.OVERTAP_LONG === '1'
    ? [
        { command: 'qemu-system-x86_64', package: 'qemu-system-x86' },
        { command: 'libvirtd', package: 'libvirt-daemon' },
        {
          file: '/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so',
          package: 'libvirt-daemon-driver-qemu',
        },
        { command: 'virsh', package: 'libvirt-clients' },
        { command: 'podman', package: 'podman' },
        { command: 'crun', package: 'crun' },
        { command: 'modprobe', package: 'kmod' },
        { command: 'tshark', package: 'tshark' },
        { command: 'nfcapd', package: 'nfdump' },
        { command: 'sfacctd', package: 'pmacct' },
        // The live page, in a real browser.
        { command: 'chromium-headless-shell', package: 'chromium-headless-shell' },
      ]
    : []),
];

const FOLDERS = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];

function isThere({ command, file }) {
  return file === undefined ? FOLDERS.some((folder) => existsSync(`${folder}/${command}`)) : existsSync(file);
}

function installTools() {
  const packages = [...new Set(TOOLS.filter((tool) => !isThere(tool)).map((tool) => tool.package))];
  if (packages.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (process.getuid?.() !== 0 || !isThere({ command: 'apt-get' })) {
    fail(`the tests need what these packages hold: ${packages.join(', ')}. As root on Debian: ${command}`);
  }
  console.log(`installing for the tests: ${packages.join(' ')}`);
  const options = {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  execFileSync('apt-get', ['update', '-qq'], options);
  execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], options);
}

/**
 * Packages that are compiled at installation, so overtap does not depend on them. `cap` captures frames for the tests; `raw-socket`
 * sends the doctor's probes if it is installed, and does not compile for Node 24 and later.
 */
const COMPILED = [
  { name: 'cap', version: '^0.2.1', isNeeded: true },
  { name: 'raw-socket', version: '^1.8.1', isNeeded: Number(process.versions.node.split('.')[0]) < 24 },
];

function installCompiled() {
  const missing = COMPILED.filter(({ name, isNeeded }) => isNeeded && !loads(name));
  if (missing.length === 0) return;
  // One command: npm removes packages that an earlier command installed without saving.
  const wanted = COMPILED.filter(({ isNeeded }) => isNeeded).map(({ name, version }) => `${name}@${version}`);
  console.log(`building ${wanted.join(' and ')} for the tests`);
  const done = spawnSync('npm', ['install', '--no-save', '--ignore-scripts=false', ...wanted], {
    cwd: new URL('..', import.meta.url),
    encoding: 'utf8',
  });
  const failed = missing.filter(({ name }) => !loads(name));
  if (failed.length > 0) fail(`${failed.map(({ name }) => name)} could not be built:\n${done.stdout}\n${done.stderr}`);
}

/** Tried in a separate process, since Node caches a failed load. */
function loads(name) {
  const from = createRequire(import.meta.url);
  return (
    spawnSync(process.execPath, ['-e', `require(${JSON.stringify(name)})`], {
      cwd: new URL('..', import.meta.url),
      stdio: 'ignore',
      env: { ...process.env, NODE_PATH: from.resolve.paths(name)?.join(':') ?? '' },
    }).status === 0
  );
}

function fail(message) {
  console.error(`npm test: ${message}`);
  process.exit(1);
}

if (process.platform !== 'linux') fail('overtap runs on Linux only, and so do its tests');
if (process.getuid?.() !== 0) fail('the tests open TAPs in network namespaces: run them as root');
const [part] = process.argv.slice(2);
if (part !== '--compiled') installTools();
if (part !== '--system') installCompiled();
