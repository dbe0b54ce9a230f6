/** The speaker's thread in a namespace, and what a control thread would have of it. */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { FromSpeaker, NeighborAnswer, RemoteMac, SpeakerConfig, ToSpeaker } from '../../src/evpn/contract.js';
import type { Program } from '../../src/lab/testbed/program.js';
import type { World } from './host-testbed.js';
import { toolPath } from './tool-path.js';

export class SpeakerProcess {
  readonly told: FromSpeaker[] = [];
  readonly macs = new Map<string, RemoteMac>();
  readonly floods = new Set<string>();
  private socket: Socket | null = null;
  private program: Program | null = null;
  private questions = 0;

  constructor(
    private readonly world: World,
    private readonly netns: string,
  ) {}

  async start(config: SpeakerConfig): Promise<void> {
    const path = this.world.path('speaker.sock');
    this.program = this.world.spawn(this.netns, [process.execPath, toolPath('speaker'), path]);
    while (!this.program.lines.includes('listens')) await pause();
    this.socket = connect(path);
    createInterface({ input: this.socket }).on('line', (line) => this.hear(JSON.parse(line) as FromSpeaker));
    this.say({ do: 'configure', config });
  }

  say(message: ToSpeaker): void {
    this.socket?.write(`${JSON.stringify(message)}\n`);
  }

  async neighbors(): Promise<NeighborAnswer[]> {
    const id = ++this.questions;
    this.say({ do: 'ask', id, question: { ask: 'neighbors' } });
    for (;;) {
      const answer = this.told.find((one) => one.tell === 'answer' && one.id === id);
      if (answer !== undefined) return (answer as Extract<FromSpeaker, { tell: 'answer' }>).neighbors ?? [];
      await pause();
    }
  }

  async neighbor(address: string): Promise<NeighborAnswer> {
    return (await this.neighbors()).find((one) => one.address === address) as NeighborAnswer;
  }

  /** Waits until a session has this state. */
  async until(address: string, state: string, limitMs = 30_000): Promise<void> {
    await eventually(`${address} ${state}`, async () => (await this.neighbor(address)).state === state, limitMs);
  }

  faults(): string[] {
    return this.told.flatMap((one) => (one.tell === 'fault' ? [one.text] : []));
  }

  private hear(message: FromSpeaker): void {
    if (message.tell !== 'routes') {
      this.told.push(message);
      return;
    }
    const key = ({ vni, mac, ip = '' }: RemoteMac): string => `${vni} ${mac} ${ip}`.trim();
    for (const one of message.macs.remove) this.macs.delete(key(one));
    for (const one of message.macs.add) this.macs.set(key(one), one);
    for (const one of message.floods.remove) this.floods.delete(`${one.vni} ${one.remote}`);
    for (const one of message.floods.add) this.floods.add(`${one.vni} ${one.remote}`);
  }
}

export const pause = (ms = 30): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = 30_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await pause();
  }
}
