/**
 * Places between which traffic flows, in a namespace of this host or of a virtual machine: numbered frames and datagrams, each of which
 * is counted, TCP with hashes, and pings. Nothing is asserted here.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { World } from './host-testbed.js';
import { PROGRAMS } from './tool-path.js';
import { tool } from './traffic.js';

/** The program that counts: static, since it runs in a virtual machine too. */
export const COUNTED = fileURLToPath(new URL('counted', PROGRAMS));

/** For a whole transfer. */
export const LIMIT_MS = 180_000;
/** The machine ends a transfer itself, or its console would wait on. */
const LIMIT_S = 120;
/** For a receiver to see that no more come, on a machine that others use too. */
const QUIET_MS = 4000;

export function compileCounted(): void {
  const source = fileURLToPath(new URL('tools/counted.c', import.meta.url));
  execFileSync(process.env.CC ?? 'cc', ['-static', '-O1', '-D_GNU_SOURCE', '-o', COUNTED, source]);
}

/** Numbered frames or datagrams of a sender, as a receiver counted them. */
export interface Flow {
  flow: number;
  received: number;
  twice: number;
  late: number;
}

/** A place where programs run: a namespace of this host, or one of the machine. */
export interface Place {
  /** Counts numbered frames at a NIC, or datagrams at a port. @returns a function that tells what came, once no more comes */
  count(where: string | number): Promise<() => Promise<Flow[]>>;
  /** Sends numbered frames or datagrams; words of the program `counted` after `send`. */
  send(...words: (string | number)[]): Promise<void>;
  /** Takes in one TCP connection. @returns a function that tells what came */
  receive(address: string, port: number): Promise<() => Promise<{ bytes: number; sha256: string }>>;
  /** Sends bytes by TCP. @returns their hash */
  transmit(address: string, port: number, bytes: number): Promise<string>;
  /** @returns how many pings were answered, duplicates included */
  ping(address: string, count: number, words?: string): Promise<number>;
}

/** Moves bytes over TCP. */
export async function move(
  from: Place,
  to: Place,
  address: string,
  bytes: number,
): Promise<{ sent: string; received: { bytes: number; sha256: string } }> {
  const port = 5000;
  const received = await to.receive(address, port);
  const sent = await from.transmit(address, port, bytes);
  return { sent, received: await received() };
}

const answers = (output: string): number =>
  Number(/(\d+) (?:packets )?received/.exec(output)?.[1]) + Number(/\+?(\d+) duplicates/.exec(output)?.[1] ?? 0);

const flowsOf = (output: string): Flow[] =>
  output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Flow);

/** A namespace of this host. */
export class HostPlace implements Place {
  constructor(
    private readonly world: World,
    private readonly netns: string,
  ) {}

  async count(where: string | number): Promise<() => Promise<Flow[]>> {
    const program = this.world.spawn(this.netns, [COUNTED, 'receive', String(where), String(QUIET_MS)]);
    await program.line('frames are counted', (line) => line === 'ready');
    return async () => flowsOf(await program.toEnd(LIMIT_MS));
  }

  async send(...words: (string | number)[]): Promise<void> {
    await this.must([COUNTED, 'send', ...words.map(String)]);
  }

  async receive(address: string, port: number): Promise<() => Promise<{ bytes: number; sha256: string }>> {
    const program = this.world.spawn(this.netns, tool('transfer', 'receive', address, port));
    await program.line('the receiver listens', () => true);
    return async () => {
      const line = await program.line('the receiver tells its hash', (text) => text.includes('sha256'), LIMIT_MS);
      return JSON.parse(line) as { bytes: number; sha256: string };
    };
  }

  async transmit(address: string, port: number, bytes: number): Promise<string> {
    const output = await this.must(tool('transfer', 'send', address, port, bytes, `${this.netns} ${bytes}`));
    return (JSON.parse(output) as { sha256: string }).sha256;
  }

  async ping(address: string, count: number, words = ''): Promise<number> {
    const command = `ping -n -l ${count} -i 3 -W 5 -c ${count} ${words} ${address}`.split(/ +/);
    return answers((await this.world.exec(this.netns, command, { limitMs: 60_000 })).stdout);
  }

  private async must(command: string[]): Promise<string> {
    const ended = await this.world.exec(this.netns, command, { limitMs: LIMIT_MS });
    if (ended.status === 0) return ended.stdout;
    throw new Error(`${command.join(' ')}: ${ended.stderr}`);
  }
}

/** Runs commands of a shell: those of `do` have to succeed. @returns the output */
export interface Commands {
  do(...commands: string[]): Promise<string>;
  try(command: string): Promise<string>;
}

let files = 0;

/** A namespace of a virtual machine. */
export class MachinePlace implements Place {
  constructor(
    private readonly machine: Commands,
    private readonly netns: string,
  ) {}

  private in(command: string): string {
    return `ip netns exec ${this.netns} ${command}`;
  }

  async count(where: string | number): Promise<() => Promise<Flow[]>> {
    const file = `/tmp/count${++files}`;
    await this.machine.do(
      `(${this.in(`${COUNTED} receive ${where} ${QUIET_MS}`)} > ${file}; touch ${file}.done) & ` +
        `until grep -q ready ${file}; do usleep 50000; done`,
    );
    return async () => flowsOf(await this.machine.do(`until [ -e ${file}.done ]; do usleep 100000; done; cat ${file}`));
  }

  async send(...words: (string | number)[]): Promise<void> {
    await this.machine.do(this.in(`${COUNTED} send ${words.join(' ')}`));
  }

  async receive(_: string, port: number): Promise<() => Promise<{ bytes: number; sha256: string }>> {
    const file = `/tmp/tcp${++files}`;
    // Its input never ends: nc would close the connection then.
    await this.machine.do(
      `mkfifo ${file}.open; (${this.in(`timeout ${LIMIT_S} nc -l -p ${port}`)} <> ${file}.open > ${file}; touch ${file}.done) & ` +
        `until ${this.in('netstat -ltn')} | grep -q :${port}; do usleep 50000; done`,
    );
    return async () => {
      const output = await this.machine.do(
        `until [ -e ${file}.done ]; do usleep 100000; done; sha256sum < ${file}; wc -c < ${file}; rm ${file}`,
      );
      const [hash, bytes] = output.split('\n');
      return { bytes: Number(bytes), sha256: hash.split(' ')[0] };
    };
  }

  async transmit(address: string, port: number, bytes: number): Promise<string> {
    const file = `/tmp/tcp${++files}`;
    const output = await this.machine.do(
      `head -c ${bytes} /dev/urandom > ${file} && ${this.in(`timeout ${LIMIT_S} nc ${address} ${port}`)} < ${file} && sha256sum < ${file}; rm ${file}`,
    );
    return output.split(' ')[0];
  }

  async ping(address: string, count: number, words = ''): Promise<number> {
    return answers(await this.machine.try(this.in(`ping -c ${count} -i 0.1 -W 5 ${words} ${address}`)));
  }
}
