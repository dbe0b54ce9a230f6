/** Other BGP speakers of the tests: FRR's zebra and bgpd, and GoBGP, each in a namespace. */
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, type Program } from '../../src/lab/testbed/program.js';
import type { World } from './host-testbed.js';

const DAEMONS = '/usr/lib/frr';

/** FRR, started daemon by daemon with files and sockets of its own: its default folder is a private mount. */
export class Frr {
  private readonly folder = mkdtempSync(join(tmpdir(), 'ote-frr-'));
  private readonly programs = new Map<string, Program>();

  constructor(
    private readonly world: World,
    private readonly netns: string,
    /** What the daemons run under, as root, since `overtap exec` answers only its own user. */
    private readonly under: readonly string[] = [],
  ) {}

  /** @param config of bgpd */
  async start(config: string): Promise<void> {
    const user = (name: string) => must(['id', name, 'frr']).then(Number);
    if (this.under.length === 0) chownSync(this.folder, await user('-u'), await user('-g'));
    chmodSync(this.folder, 0o755);
    for (const [daemon, text] of [
      ['zebra', ''],
      ['bgpd', config],
    ]) {
      writeFileSync(join(this.folder, `${daemon}.conf`), `${text}\n`);
      await this.run(daemon as string);
    }
  }

  /** Starts one daemon, and waits until it answers. */
  async run(daemon: string): Promise<void> {
    const words = [
      '-f',
      `${this.folder}/${daemon}.conf`,
      '-i',
      `${this.folder}/${daemon}.pid`,
      '-z',
      `${this.folder}/zserv.api`,
    ];
    const isOwnUser = this.under.length === 0;
    const user = isOwnUser ? 'frr' : 'root';
    const common = ['--vty_socket', this.folder, '-u', user, '-g', user, '-P', '0', '-A', '127.0.0.1'];
    const command = [`${DAEMONS}/${daemon}`, ...words, ...common].join(' ');
    // Its user has to be in the group of its terminals.
    const group = `sed '/^frrvty:/s/$/,root/; s/:,root$/:root/' /etc/group > ${this.folder}/group && mount --bind ${this.folder}/group /etc/group`;
    const script = `mkdir -p /run/frr && mount --bind ${this.folder} /run/frr && ${isOwnUser ? '' : `${group} && `}exec ${command}`;
    this.programs.set(daemon, this.world.spawn(this.netns, ['unshare', '-m', ...this.under, 'sh', '-c', script]));
    const end = Date.now() + 15_000;
    while ((await this.ask('show version', daemon)) === null) {
      if (Date.now() > end) throw new Error(`${daemon} does not answer`);
    }
  }

  /** Ends a daemon at once: no word to its neighbours. */
  async kill(daemon: string): Promise<void> {
    const program = this.programs.get(daemon);
    program?.signal('SIGKILL');
    await program?.ended;
  }

  async vtysh(...commands: string[]): Promise<string> {
    const words = commands.flatMap((command) => ['-c', command]);
    const ended = await this.world.exec(this.netns, ['vtysh', '--vty_socket', this.folder, ...words]);
    return ended.stdout;
  }

  async json<T>(command: string): Promise<T> {
    const text = await this.vtysh(command);
    return JSON.parse(text.slice(text.indexOf('{'))) as T;
  }

  /** After the world is cleaned up. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async ask(command: string, daemon: string): Promise<string | null> {
    const words = ['vtysh', '--vty_socket', this.folder, '-d', daemon, '-c', command];
    const { status, stdout } = await this.world.exec(this.netns, words);
    return status === 0 && stdout.includes('FRRouting') ? stdout : null;
  }
}

export class GoBgp {
  private program: Program | null = null;

  constructor(
    private readonly world: World,
    private readonly netns: string,
    private readonly name: string,
  ) {}

  /** @param config in TOML. It answers in its own namespace. */
  async start(config: string, ...words: string[]): Promise<void> {
    const path = this.world.file(`${this.name}.toml`, config);
    this.program = this.world.spawn(this.netns, ['gobgpd', '-f', path, '--api-hosts', '127.0.0.1:50051', ...words]);
    const end = Date.now() + 15_000;
    while ((await this.world.exec(this.netns, ['gobgp', 'global'])).status !== 0) {
      if (Date.now() > end) throw new Error('gobgpd does not answer');
    }
  }

  async kill(): Promise<void> {
    this.program?.signal('SIGKILL');
    await this.program?.ended;
  }

  /** Its program gives up after a second, which on a busy machine says nothing. */
  async gobgp(words: string): Promise<string> {
    for (let tries = 1; ; tries++) {
      const { status, stdout, stderr } = await this.world.exec(this.netns, ['gobgp', ...words.split(' ')]);
      if (tries === 20)
        throw new Error(
          `gobgpd does not answer: ${this.program?.output.slice(-3000)}${this.program?.errors.slice(-6000)}`,
        );
      if (status === 0 && !stderr.includes('deadline')) return stdout + stderr;
    }
  }
}
