/** Commands in a guest, over the serial port that `guest-init.ts` serves. One after the other. */
import { createConnection, type Socket } from 'node:net';
import { until } from '../testbed/wait.js';

const LIMIT_MS = 30_000;

export interface Answer {
  status: number;
  /** Standard output and standard error, without blanks at the ends. */
  output: string;
}

let numbers = process.pid * 1000;

export class GuestConsole {
  private received = '';
  private isClosed = false;
  private last: Promise<unknown> = Promise.resolve();

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.received += text;
    });
    socket.on('error', () => undefined); // `close` follows
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** @param path of `consolePath`; the guest must be ready */
  static async connect(path: string): Promise<GuestConsole> {
    const socket = createConnection({ path });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new GuestConsole(socket);
  }

  /** Runs a command of the guest's shell, one line. @throws when it does not end within the limit, or the guest has ended */
  run(command: string, limitMs = LIMIT_MS): Promise<Answer> {
    const turn = this.last.then(() => this.ask(command, limitMs));
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /** Runs a command that has to succeed. @returns its output */
  async must(command: string, limitMs = LIMIT_MS): Promise<string> {
    const { status, output } = await this.run(command, limitMs);
    if (status === 0) return output;
    throw new Error(`in the guest, ${command} ended with status ${status}: ${output}`);
  }

  private async ask(command: string, limitMs: number): Promise<Answer> {
    const number = ++numbers;
    const end = new RegExp(`BEGIN ${number}\\r?\\n([^]*?)\\r?\\nEND ${number} (\\d+)\\r?\\n`);
    this.received = '';
    this.socket.write(`${number} ${command}\n`);
    const found = await until(
      `the guest has done: ${command}`,
      () => {
        const match = end.exec(this.received);
        if (match === null && this.isClosed) throw new Error('the console is closed: QEMU has ended');
        return match;
      },
      limitMs,
    );
    const [, output = '', status] = found;
    return { status: Number(status), output: output.replaceAll('\r', '').trim() };
  }

  close(): void {
    this.socket.destroy();
  }
}
