/**
 * A machine of libvirt with the XML and the hook of docs/attach.md: its port comes and goes with it. In the long form only. libvirtd has
 * the namespace of the host and folders of its own, so that one of this machine is left alone; QEMU runs without KVM.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { guestImage } from '../../src/lab/vm/guest-image.js';
import { run } from '../../src/lab/testbed/program.js';
import { inNamespace } from '../../src/lab/testbed/testbed.js';
import { until } from '../../src/lab/testbed/wait.js';
import { World } from './host-testbed.js';
import { linkOf, startWith } from './live-support.js';
import { OVERTAP } from './switch.js';

const DOCUMENT = readFileSync(join(import.meta.dirname, '../../docs/attach.md'), 'utf8');
const FOLDERS = ['/etc/libvirt', '/run/libvirt', '/var/lib/libvirt', '/var/log/libvirt', '/var/cache/libvirt'];
const UP_MS = 60_000;
const BOOT_MS = 120_000;

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

/** The one block of code of the document that has these words. */
function block(words: string): string {
  const blocks = [...DOCUMENT.matchAll(/```(?:sh|xml)\n([\s\S]*?)```/g)].map(([, text = '']) => text);
  const found = blocks.filter((text) => text.includes(words));
  expect(found, words).toHaveLength(1);
  return found[0] as string;
}

const domain = (kernel: string, initrd: string): string => `<domain type='qemu'>
  <name>guest</name>
  <memory unit='MiB'>192</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type><kernel>${kernel}</kernel><initrd>${initrd}</initrd>
  <cmdline>console=ttyS0 quiet panic=-1 mitigations=off tsc=unstable no_timer_check random.trust_cpu=on ip4=198.18.0.2/24</cmdline></os>
  <cpu mode='maximum'/>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    ${block("type='ethernet'")}
    <memballoon model='none'/>
  </devices>
</domain>`;

/** What libvirtd has to itself: its folders, and the users that it looks for. @returns lines of a shell */
function places(folder: string): string {
  const users = ['libvirt-qemu', 'tss'].map((name, at) => `${name}:x:${64_055 + at}:${64_055 + at}::/:/bin/false`);
  writeFileSync(join(folder, 'passwd'), `${readFileSync('/etc/passwd', 'utf8').trim()}\n${users.join('\n')}\n`);
  const groups = ['libvirt-qemu', 'tss', 'kvm'].map((name, at) => `${name}:x:${64_055 + at}:`);
  writeFileSync(join(folder, 'group'), `${readFileSync('/etc/group', 'utf8').trim()}\n${groups.join('\n')}\n`);
  return [
    'set -e',
    ...FOLDERS.map((path) => `mkdir -p ${path}; mount -t tmpfs none ${path}`),
    `mount --bind ${folder}/passwd /etc/passwd; mount --bind ${folder}/group /etc/group`,
    'mkdir -p /etc/libvirt/hooks /var/lib/libvirt/qemu',
    `cp ${folder}/hook /etc/libvirt/hooks/qemu; cp ${folder}/qemu.conf /etc/libvirt/`,
    // Not the first process: libvirtd gives no answer as that.
    'libvirtd & wait',
  ].join('\n');
}

test('the hook of docs/attach.md adds a port with the machine and deletes it', { timeout: 300_000 }, async () => {
  const [netns, guest] = [await world.netns('host'), await world.netns('guest')];
  const sw = await startWith(
    world,
    netns,
    'one',
    `bridges: { br1: { ports: { g1: { type: tap, netns: ${guest}, addresses: [198.18.0.1/24] } } } }`,
  );
  const image = await guestImage();
  const folder = world.path('libvirt');
  mkdirSync(join(folder, 'bin'), { recursive: true });
  writeFileSync(join(folder, 'bin/overtap'), `#!/bin/sh\nexec ${process.execPath} ${OVERTAP} -s ${sw.control} "$@"\n`);
  writeFileSync(join(folder, 'hook'), block('libvirt passes the name'));
  writeFileSync(
    join(folder, 'qemu.conf'),
    'security_driver = "none"\nuser = "root"\ngroup = "root"\ncgroup_controllers = []\nstdio_handler = "file"\n',
  );
  writeFileSync(join(folder, 'guest.xml'), domain(image.kernel, image.initrd));
  for (const name of ['bin/overtap', 'hook']) chmodSync(join(folder, name), 0o755);
  const path = `PATH=${folder}/bin:${dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin`;
  const own = ['unshare', '-m', '-p', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', places(folder)];
  const libvirtd = world.spawn(netns, ['env', path, ...own]);
  const first = (): string => readFileSync(`/proc/${libvirtd.pid}/task/${libvirtd.pid}/children`, 'utf8').trim();
  await until('libvirtd has started', () => (first() === '' ? null : true), UP_MS);
  const virsh = (...words: string[]) =>
    run(['nsenter', '-t', first(), '-m', '-n', '-p', 'virsh', '-q', '-c', 'qemu:///system', ...words]);
  await until('libvirtd answers', async () => ((await virsh('version')).status === 0 ? true : null), UP_MS);

  expect(await virsh('create', `${folder}/guest.xml`)).toMatchObject({ status: 0, stderr: '' });
  expect(await linkOf(sw, 'vm2')).toMatchObject({ type: 'netdev', master: 'br1', operstate: 'UP' });
  const ping = inNamespace(guest, ['ping', '-c', '1', '-W', '1', '198.18.0.2']);
  await until('the machine answers', async () => ((await run(ping)).status === 0 ? true : null), BOOT_MS);
  expect(await virsh('destroy', 'guest')).toMatchObject({ status: 0, stderr: '' });
  expect(await linkOf(sw, 'vm2')).toBeUndefined();
});
