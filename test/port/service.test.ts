/** The verbs on groups and on the service manager. Receivers of notices are Python's, since Node has no datagram socket of this kind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { groupId, sendNotice } from '../../src/port/service.js';

const folder = mkdtempSync(join(tmpdir(), 'overtap-notice-'));
const receivers: ChildProcess[] = [];
afterEach(() => {
  for (const one of receivers.splice(0)) one.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Binds `name` as a service manager does and prints each datagram with the sender's pid. With `deaf`: reads nothing. */
const MANAGER = `
import socket, struct, sys, time
name, deaf = sys.argv[1], len(sys.argv) > 2
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind('\\0' + name[1:] if name[0] == '@' else name)
print('ready', flush=True)
while deaf: time.sleep(1)
while True:
  data, extra, _, _ = s.recvmsg(8192, 4096)
  print(struct.unpack('iii', extra[0][2])[0], data.decode().replace('\\n', '|'), flush=True)
`;

async function manager(name: string, ...more: string[]): Promise<{ line(index: number): Promise<string> }> {
  const child = spawn('python3', ['-c', MANAGER, name, ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
  receivers.push(child);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const line = async (index: number): Promise<string> => {
    for (;;) {
      const lines = text.split('\n');
      if (lines.length > index + 1) return lines[index] ?? '';
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await line(0);
  return { line };
}

describe('a notice', () => {
  it.each([
    ['a path', join(folder, 'notify')],
    ['an abstract name', `@overtap-test-${process.pid}`],
  ])('goes to %s, from this process', async (_, name) => {
    const { line } = await manager(name);
    sendNotice(name, 'READY=1\nSTATUS=forwards');
    expect(await line(1)).toBe(`${process.pid} READY=1|STATUS=forwards`);
  });

  it('does not wait for a manager that reads nothing', async () => {
    const name = join(folder, 'deaf');
    await manager(name, 'deaf');
    const began = performance.now();
    const flood = (): void => {
      for (let i = 0; i < 10_000; i++) sendNotice(name, 'WATCHDOG=1');
    };
    expect(flood).toThrow(/EAGAIN/);
    expect(performance.now() - began).toBeLessThan(2000);
  });

  it.each([
    [join(folder, 'none'), /ENOENT/],
    ['relative', /must be a path/],
    ['@', /must be a path/],
    ['', /must be a path/],
    [`/${'x'.repeat(200)}`, /at most/],
    [`/${'x'.repeat(107)}`, /must be a path/],
    ['/a\0b', /zero byte/],
  ])('to %j is refused', (name, why) => {
    expect(() => sendNotice(name, 'READY=1')).toThrow(why);
  });
});

describe('a group', () => {
  it('has a number, or is none', () => {
    expect([groupId('root'), groupId('daemon'), groupId('no-such-group'), groupId('')]).toEqual([0, 1, null, null]);
  });
});
