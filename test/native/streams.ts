/** Reading from descriptors that do not block, for peers of stream and datagram sockets. */
import { readSync } from 'node:fs';

/** What one read gives at once. */
export function readNow(fd: number, most = 1 << 20): Buffer | 'nothing' | 'end' {
  const buffer = Buffer.alloc(most);
  try {
    const got = readSync(fd, buffer);
    return got === 0 ? 'end' : buffer.subarray(0, got);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EAGAIN') return 'nothing';
    if (code === 'ECONNRESET') return 'end';
    throw error;
  }
}
