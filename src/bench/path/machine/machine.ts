/** The facts without which figures mean nothing: machine, versions, commit. Also the check for the required tools. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { compiler, NO_COMPILER } from '../programs/compile.js';
import type { Machine, MeasureGroup, VariantName } from '../types.js';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

/** Required programs, their Debian packages, and the measures that need them (without: all). */
const TOOLS: readonly { command: string; package: string; groups?: readonly MeasureGroup[] }[] = [
  { command: 'ip', package: 'iproute2' },
  { command: 'ethtool', package: 'ethtool' },
  { command: 'iperf3', package: 'iperf3' },
  { command: 'trafgen', package: 'netsniff-ng', groups: ['frames', 'flows', 'load', 'ndr'] },
  { command: 'taskset', package: 'util-linux', groups: ['frames'] },
  { command: 'sockperf', package: 'sockperf', groups: ['latency', 'load'] },
];
const OVS_VARIANTS: readonly VariantName[] = ['ovs', 'ovs-tso'];
const OVS_COMMANDS = ['ovs-vswitchd', 'ovsdb-server', 'ovsdb-tool', 'ovs-vsctl'];

/** Adds the folders of system programs to PATH, which even root's PATH may lack. */
export function completePath(): void {
  process.env.PATH = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].filter(Boolean).join(':');
}

function isInstalled(command: string): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => {
    try {
      accessSync(`${folder}/${command}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @throws an error that names all missing programs and their packages */
export function requireTools(only: readonly MeasureGroup[]): void {
  if (process.getuid?.() !== 0) throw new Error('network namespaces and TAPs need root: try sudo');
  const needed = TOOLS.filter(({ groups }) => !groups || groups.some((group) => only.includes(group)));
  const missing = needed.filter(({ command }) => !isInstalled(command));
  if (missing.length === 0) return;
  const names = missing.map((tool) => tool.command).join(', ');
  throw new Error(`missing: ${names}. On Debian: apt-get install -y ${missing.map((tool) => tool.package).join(' ')}`);
}

function hasOvs(): boolean {
  return OVS_COMMANDS.every(isInstalled);
}

/** With 3.1 no TCP connection between the guests comes about. Versions from 3.3 on are tried; none was at hand. */
function passesTunnelTso(ovs: string): boolean {
  const [major, minor] = ovs.split('.').map(Number);
  return major > 3 || (major === 3 && minor >= 3);
}

/** What a variant lacks on this machine, and how to get it; null if it can be measured. */
export function missingFor(variant: VariantName): string | null {
  if (OVS_VARIANTS.includes(variant) && !hasOvs())
    return 'Open vSwitch is not installed (Debian: apt-get install openvswitch-switch)';
  if (variant === 'ovs-tso' && !passesTunnelTso(version('ovs-vswitchd')))
    return 'Open vSwitch is older than 3.3: with 3.1, userspace TSO let no TCP into a tunnel';
  if (variant === 'floor' && compiler() === null) return `there is no C compiler. ${NO_COMPILER}`;
  return null;
}

/** The first version number in the output of a program. */
function version(command: string, args = ['--version']): string {
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return /\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown';
}

function git(...args: string[]): string | null {
  const { status, stdout } = spawnSync('git', ['-C', ROOT, ...args], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** The facts printed and kept with every result. */
export function describeMachine(): Machine {
  const versionOf = (command: string): string | null => (isInstalled(command) ? version(command) : null);
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.cpus().length,
    memoryGib: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release(),
    load: os.loadavg()[0],
    node: process.version,
    iperf3: versionOf('iperf3'),
    trafgen: versionOf('trafgen'),
    sockperf: versionOf('sockperf'),
    ovs: hasOvs() ? version('ovs-vswitchd') : null,
    commit: git('rev-parse', '--short', 'HEAD') ?? 'unknown',
    hasChanges: git('status', '--porcelain', '--untracked-files=no') !== '',
  };
}
