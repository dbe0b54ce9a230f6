/** The command line of a virtual machine, what a host needs for one, and the console's protocol. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GuestConsole } from '../../../src/lab/vm/console.js';
import { needVirtualMachines } from '../../../src/lab/vm/guest-image.js';
import { consolePath, guestReady, qemuCommand, streamNetdev } from '../../../src/lab/vm/virtual-machine.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ott-vm-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

test('each NIC has a backend and a device of one number', () => {
  const image = { kernel: '/k', initrd: '/i', version: '6' };
  const nics = [
    { netdev: streamNetdev('/run/a.net'), mac: '52:54:00:00:00:01' },
    { netdev: 'dgram,local.type=unix', mac: '52:54:00:00:00:02', mtu: 1450 },
  ];
  const words = qemuCommand({ image, folder, nics, address: '10.0.0.1/24', words: ['-S'] });
  const line = words.join(' ');
  expect(line).toContain(
    '-netdev stream,id=n0,server=on,addr.type=unix,addr.path=/run/a.net -device virtio-net-pci,romfile=,netdev=n0,mac=52:54:00:00:00:01 ',
  );
  expect(line).toContain(
    '-netdev dgram,id=n1,local.type=unix -device virtio-net-pci,romfile=,netdev=n1,mac=52:54:00:00:00:02,host_mtu=1450 ',
  );
  expect(line).toMatch(/-kernel \/k -initrd \/i -append .* no_timer_check .*ip4=10\.0\.0\.1\/24 /);
  expect(words.at(-1)).toBe('-S');
});

test('a host that lacks tools is told the packages, and another processor that it is the wrong one', () => {
  expect(() => needVirtualMachines(() => true, 'x64')).not.toThrow();
  expect(() => needVirtualMachines((path) => !/qemu|busybox/.test(path), 'x64')).toThrow(
    /apt-get install --no-install-recommends qemu-system-x86 busybox-static$/,
  );
  expect(() => needVirtualMachines(() => true, 'arm64')).toThrow(/this host is arm64/);
});

test('a guest is ready when it says so, and QEMU that ends before is an error with its last words', async () => {
  await expect(guestReady(folder, () => false)).rejects.toThrow(/QEMU has ended/);
  writeFileSync(join(folder, 'console.log'), 'kernel panic');
  await expect(guestReady(folder, () => false)).rejects.toThrow(/kernel panic/);
  writeFileSync(join(folder, 'console.log'), 'noise\r\nGUEST-READY up=3 eth0\r\n# ');
  expect(await guestReady(folder, () => false)).toBe('GUEST-READY up=3 eth0');
});

describe('the console', () => {
  let server: Server;
  let guest: Socket;
  const asked: string[] = [];

  /** A guest that answers with what `answer` makes of the number and the command. */
  async function serve(answer: (number: string, command: string) => string): Promise<GuestConsole> {
    asked.length = 0;
    server = createServer((socket) => {
      guest = socket;
      socket.setEncoding('utf8').on('data', (text: string) => {
        const [, number = '', command = ''] = /^(\d+) (.*)\n$/.exec(text) ?? [];
        asked.push(command);
        socket.write(answer(number, command));
      });
    });
    await new Promise<void>((resolve) => server.listen(consolePath(folder), resolve));
    return GuestConsole.connect(consolePath(folder));
  }

  afterEach(() => server.close());

  test('has the output and the status of each command, in order, whatever came before', async () => {
    const console = await serve(
      (number, command) => `rest\r\nEND 1 9\r\nBEGIN ${number}\r\n${command}!\r\nmore\r\n\r\nEND ${number} 3\r\n`,
    );
    const answers = await Promise.all([console.run('one'), console.run('two')]);
    expect(answers).toEqual([
      { status: 3, output: 'one!\nmore' },
      { status: 3, output: 'two!\nmore' },
    ]);
    expect(asked).toEqual(['one', 'two']);
    await expect(console.must('three')).rejects.toThrow(/three ended with status 3: three!/);
    console.close();
  });

  test('waits no longer than the limit, nor for a guest that has ended', async () => {
    const console = await serve((number) => `BEGIN ${number}\n`);
    await expect(console.run('one', 50)).rejects.toThrow(/not within/);
    const waiting = console.run('two');
    guest.destroy();
    await expect(waiting).rejects.toThrow(/QEMU has ended/);
    console.close();
  });
});
