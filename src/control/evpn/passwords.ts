/**
 * Passwords of BGP sessions, from files. A file that cannot be read never makes a session without signatures: the password that it had
 * holds, or one that nobody knows, so that the session does not come up.
 */
import { randomBytes } from 'node:crypto';
import { readText } from '../../config/read/file.js';
import { MOST_KEY_BYTES } from '../../port/tcp.js';

export class Passwords {
  /** By path. */
  private readonly known = new Map<string, string>();

  /** @param fault gets why a file gives no password, without its contents */
  constructor(private readonly fault: (text: string) => void) {}

  /** Forgets files that no neighbour names any more. */
  keep(paths: ReadonlySet<string>): void {
    for (const path of this.known.keys()) if (!paths.has(path)) this.known.delete(path);
  }

  /** The first line of a file. Never waits, as a pipe would make it: pipes and devices are refused. */
  of(path: string): string {
    const password = this.read(path) ?? this.known.get(path) ?? randomBytes(MOST_KEY_BYTES / 2).toString('hex');
    this.known.set(path, password);
    return password;
  }

  private read(path: string): string | undefined {
    try {
      const [line = ''] = readText(path, { regularFile: true }).split(/\r?\n/, 1);
      const bytes = Buffer.byteLength(line);
      // The kernel takes an empty key for none.
      if (bytes > 0 && bytes <= MOST_KEY_BYTES) return line;
      this.fault(`password_file ${path}: its first line has ${bytes} bytes; a password has 1 to ${MOST_KEY_BYTES}`);
    } catch (error) {
      this.fault(`password_file: ${error instanceof Error ? error.message : String(error)}`);
    }
    return undefined;
  }
}
