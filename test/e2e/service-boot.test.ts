/**
 * The unit under systemd itself, booted in a container (systemd-nspawn) whose root is this host's, behind an overlay: start, status,
 * a namespace that comes late, reload, an upgrade, the watchdog, end. Left out where systemd-nspawn is missing or cannot do so.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OVERTAP } from './switch.js';

const UNITS = fileURLToPath(new URL('../../packaging/systemd/', import.meta.url));
/** This project, and where the container has it: below /tmp or a home directory the unit would not see it. */
const PROJECT = dirname(dirname(OVERTAP));
const PLACE = '/usr/lib/overtap';
const BOOT_LIMIT_MS = 110_000;

const CONFIG = `
name: host1
control: /run/overtap/host1.sock
control_group: overtap
bridges:
  br1:
    ports:
      tap1: { type: tap, netns: early, ifname: eth0, addresses: [198.18.1.1/24] }
      tap2: { type: tap, netns: late, ifname: eth0, addresses: [198.18.1.2/24] }
`;

/** Each line of its output is a finding: KEY=VALUE. */
const SCRIPT = `#!/bin/bash
exec > /root/found 2>/root/errors
unit=overtap@host1
show() { systemctl show -P "$1" $unit; }
wait_for() { for i in $(seq 100); do [ "$(eval "$1")" = "$2" ] && return; sleep 0.1; done; echo "late=$1 is not $2"; }
systemd-sysusers
ip netns add early
systemctl start $unit; echo "start=$?"
echo "status=$(show StatusText)"
echo "socket=$(stat -c '%a %U %G' /run/overtap/host1.sock)"
echo "user=$(ps -o user= -p "$(show MainPID)")"
ip netns add late
wait_for 'show StatusText' 'Forwarding: 2 ports'
ip netns exec early ping -q -c 2 -i 0.2 198.18.1.2 >&2; echo "ping=$?"
sed -i 's/ifname: eth0, addresses: .198.18.1.1/isolated: true, &/' /etc/overtap/host1.yaml
systemctl reload $unit; echo "reload=$?"
wait_for 'overtap -s /run/overtap/host1.sock link show tap1 | grep -c isolated' 1
echo "after_reload=$(systemctl is-active $unit)"
old=$(show MainPID)
overtap -s /run/overtap/host1.sock upgrade >&2; echo "upgrade=$?"
pid=$(show MainPID)
echo "main_process=$([ "$pid" != "$old" ] && ps -o user=,args= -p "$pid" | grep -c '^overtap .*--take-over')"
sleep 4 # the old process has ended, and the watchdog of the new one has been fed
echo "after_upgrade=$(systemctl is-active $unit) $(show NRestarts) $(show StatusText)"
echo "processes=$(ps -u overtap -o pid= | wc -l)"
ip netns exec early ping -q -c 2 -i 0.2 198.18.1.2 >&2; echo "ping_after=$?"
kill -STOP "$pid"
wait_for 'show NRestarts' 1
wait_for "systemctl is-active $unit" active
echo "watchdog=$(show NRestarts) restart"
echo "other_process=$([ "$(show MainPID)" != "$pid" ] && echo yes)"
systemctl stop $unit; echo "stop=$?"
echo "end=$(show ActiveState) $(show Result)"
echo "left=$(ls /run/overtap)$(ip -n early -br link show type tun)"
`;

let folder: string;
let root: string;
let isMounted = false;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-boot-'));
  root = join(folder, 'disk/root');
  isMounted = spawnSync('systemd-nspawn', ['--version']).error === undefined && mountRoot();
});

afterAll(() => {
  for (const place of [root, join(folder, 'disk')]) spawnSync('umount', [place], { stdio: 'ignore' });
  rmSync(folder, { recursive: true, force: true });
});

function mountRoot(): boolean {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256m', 'overtap', disk]).status !== 0) return false;
  for (const name of ['upper', 'work', 'root']) mkdirSync(join(disk, name));
  const layers = `lowerdir=/,upperdir=${join(disk, 'upper')},workdir=${join(disk, 'work')}`;
  return spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', layers, root]).status === 0;
}

/** Writes a file of the container. */
function put(path: string, text: string, mode = 0o644): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
}

function furnish(): void {
  const unit = (name: string): string => readFileSync(join(UNITS, name), 'utf8');
  put('etc/systemd/system/overtap@.service', unit('overtap@.service'));
  put('etc/systemd/system/overtap@host1.service.d/namespaces.conf', unit('namespaces.conf'));
  put('etc/systemd/system/overtap@host1.service.d/test.conf', '[Service]\nWatchdogSec=3\n');
  put('usr/lib/sysusers.d/overtap.conf', unit('overtap.sysusers'));
  put('etc/overtap/host1.yaml', CONFIG);
  rmSync(join(root, 'usr/bin/overtap'), { force: true });
  symlinkSync(`${PLACE}/bin/overtap`, join(root, 'usr/bin/overtap'));
  put('root/examine', SCRIPT, 0o755);
  // Nothing else of this host is started.
  const examine =
    '[Unit]\nRequires=sysinit.target\nAfter=sysinit.target\nSuccessAction=poweroff-force\nFailureAction=poweroff-force\n' +
    '[Service]\nType=oneshot\nExecStart=/root/examine\nTimeoutStartSec=80\n';
  put('etc/systemd/system/examine.service', examine);
}

/** Boots the container until it powers itself off. */
function boot(): Promise<void> {
  const tun = join(folder, 'tun');
  spawnSync('mknod', ['-m', '666', tun, 'c', '10', '200']);
  const words = ['--register=no', '--keep-unit', '--quiet', `--directory=${root}`, '--private-network'];
  const more = [
    '--capability=all',
    `--bind=${tun}:/dev/net/tun`,
    `--bind-ro=${PROJECT}:${PLACE}`,
    '--console=pipe',
    '--boot',
    'systemd.unit=examine.service',
  ];
  const child = spawn('systemd-nspawn', [...words, ...more], { stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), BOOT_LIMIT_MS);
  return new Promise((resolve) =>
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    }),
  );
}

describe('under systemd', () => {
  test('the unit starts, tells its state, reloads, is watched, and ends', async ({ skip }) => {
    if (!isMounted) return skip('no systemd-nspawn, or no overlay of the root');
    furnish();
    await boot();
    if (!existsSync(join(root, 'root/found'))) return skip('this host does not let a container boot');
    const found = readFileSync(join(root, 'root/found'), 'utf8');
    expect(found.trimEnd().split('\n'), readFileSync(join(root, 'root/errors'), 'utf8')).toEqual([
      'start=0',
      'status=Forwarding: 2 ports, down: tap2',
      'socket=660 overtap overtap',
      'user=overtap',
      'ping=0',
      'reload=0',
      'after_reload=active',
      'upgrade=0',
      'main_process=1',
      'after_upgrade=active 0 Forwarding: 2 ports',
      'processes=1',
      'ping_after=0',
      'watchdog=1 restart',
      'other_process=yes',
      'stop=0',
      'end=inactive success',
      'left=',
    ]);
  });
});
