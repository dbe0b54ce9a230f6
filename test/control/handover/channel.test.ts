/** The conversation of two processes over a socket: every wait ends, whatever the other side does or leaves undone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Channel } from '../../../src/control/handover/channel.js';
import { encodeFrame, FrameReader } from '../../../src/control/handover/frames.js';

let folder: string;
let near: Socket;
let far: Socket;
let channel: Channel;
let close: () => void;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-channel-'));
  const path = join(folder, 's');
  far = await new Promise<Socket>((resolve) => {
    const server = createServer({ pauseOnConnect: true }, resolve).listen(path, () => {
      near = createConnection(path);
    });
    close = () => server.close();
  });
  far.on('error', () => undefined);
  channel = new Channel(near, new FrameReader(1024));
});

afterEach(() => {
  near.destroy();
  far.destroy();
  close();
  rmSync(folder, { recursive: true });
});

describe('a channel', () => {
  it('gives up on a side that does not read', async () => {
    const large = encodeFrame('entries', new Uint8Array(16 << 20));
    await expect(channel.send(large, 20)).rejects.toThrow(/has not read what was sent/);
  });

  it('gives up on a side that says nothing', async () => {
    await expect(channel.expect('running', 20)).rejects.toThrow(/its answer \(running\) has not come/);
  });

  it('tells a side that closes from one that is slow', async () => {
    far.destroy();
    await expect(channel.expect('running', 5000)).rejects.toThrow(/closed the connection/);
    expect(channel.isClosed).toBe(true);
  });

  it('finds the last word of a side that it waits for no longer', async () => {
    channel.cancel('enough');
    await expect(channel.expect('running', 5000)).rejects.toThrow('enough');
    expect(await channel.lastWord('running', 20)).toBe('nothing');
    far.write(Buffer.concat([encodeFrame('prepared'), encodeFrame('running', Buffer.from('1.2'))]));
    expect(await channel.lastWord('running', 5000)).toMatchObject({ type: 'running', payload: Buffer.from('1.2') });
    far.destroy();
    expect(await channel.lastWord('bye', 5000)).toBeNull();
  });
});
