/** The kernel, asked by the program itself: with its rights, in its namespace. */
import { AttributeMap, stringAttribute, writeAttributes } from '../netlink/attributes.js';
import { ERRNO, NetlinkFault } from '../netlink/fault.js';
import { errnoOf, isDone, type Message, NLM_F, readMessages, writeMessage } from '../netlink/message.js';
import { IFINFO_BYTES, IFLA, readIfinfo, RTM, writeIfinfo } from '../netlink/rtnetlink.js';
import type { Conversation } from './exchange.js';

/** A link of the kernel. */
export interface KernelLink {
  readonly index: number;
  readonly name: string;
  readonly attributes: AttributeMap;
  readonly message: Message;
}

/** What the kernel has answered: its messages, and its last word. */
export interface KernelAnswer {
  readonly messages: Message[];
  /** The acknowledgement, or the end of a dump. */
  readonly last: Message;
  /** Positive; 0: done. */
  readonly errno: number;
}

export class Kernel {
  private seq = 1;
  private all: KernelLink[] | undefined;

  constructor(private readonly conversation: Pick<Conversation, 'ask'>) {}

  /** @param flags beside REQUEST; without DUMP, ACK is added @throws NetlinkFault when the program cannot ask */
  async request(type: number, flags: number, payload: Buffer): Promise<KernelAnswer> {
    const isDump = (flags & NLM_F.DUMP) === NLM_F.DUMP && type % 4 === 2;
    const seq = this.seq++;
    const full = flags | 1 | (isDump ? 0 : NLM_F.ACK);
    const answer = await this.conversation.ask(writeMessage({ type, flags: full, seq, pid: 0, payload }));
    if (answer === null) throw new NetlinkFault('the program has ended');
    if (answer.errno !== 0) {
      throw new NetlinkFault(`the kernel does not answer (errno ${answer.errno})`, answer.errno);
    }
    const messages = readMessages(answer.bytes);
    const last = messages.find((one) => isDone(one) || errnoOf(one) !== undefined);
    if (last === undefined) throw new NetlinkFault('the kernel has not finished its answer');
    return { messages: messages.filter((one) => one !== last), last, errno: errnoOf(last) ?? 0 };
  }

  async byName(name: string): Promise<KernelLink | undefined> {
    if (this.all !== undefined) return this.all.find((link) => link.name === name);
    return this.one(Buffer.concat([writeIfinfo({}), writeAttributes([stringAttribute(IFLA.IFNAME, name)])]));
  }

  async byIndex(index: number): Promise<KernelLink | undefined> {
    if (this.all !== undefined) return this.all.find((link) => link.index === index);
    return this.one(writeIfinfo({ index }));
  }

  /** All links; what is asked afterwards is answered from these. */
  async links(): Promise<KernelLink[]> {
    this.all ??= (await this.request(RTM.GETLINK, NLM_F.DUMP, writeIfinfo({}))).messages.map(linkOf);
    return this.all;
  }

  /** Forgets what was read: a change has been made. */
  changed(): void {
    this.all = undefined;
  }

  private async one(payload: Buffer): Promise<KernelLink | undefined> {
    const { messages, errno } = await this.request(RTM.GETLINK, 0, payload);
    const [found] = messages;
    if (errno === ERRNO.ENODEV || found === undefined) return undefined;
    return linkOf(found);
  }
}

export function linkOf(message: Message): KernelLink {
  const { index } = readIfinfo(message.payload);
  const attributes = new AttributeMap(message.payload.subarray(IFINFO_BYTES));
  return { index, name: attributes.text(IFLA.IFNAME) ?? '', attributes, message };
}
