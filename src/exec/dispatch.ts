/** Which message is whose: the switch's, or the kernel's. */
import { SwitchRefused, SwitchUnreachable } from '../client/client.js';
import { ERRNO, NetlinkFault } from '../netlink/fault.js';
import { acknowledgement, type Message, NLM_F, readMessages, writeMessage } from '../netlink/message.js';
import { AF, RTM } from '../netlink/rtnetlink.js';
import type { Caller, Conversation } from './exchange.js';
import { Kernel } from './kernel.js';
import { changeBridge } from './bridge-change.js';
import { changeEntry } from './fdb-change.js';
import { getNeigh } from './fdb-listing.js';
import { changeAddress } from './host-device.js';
import { getLink } from './listing.js';
import { deleteLink, newLink } from './new-link.js';
import { changeGroup, getGroups } from './mdb.js';
import { changeNexthop, getNexthops } from './nexthops.js';
import { needsSwitch, newWithoutSwitch } from './no-switch.js';
import type { Switches } from './switches.js';
import { getStats } from './stats-listing.js';
import { View } from './view.js';
import { changeVnis, getVnis } from './vnis.js';
import { changeVlans } from './vlan-change.js';
import { getVlans } from './vlan-listing.js';

/** @returns the messages of the answer; null: the message goes to the kernel as it is */
type Handler = (view: View, request: Message) => Promise<Buffer[] | null>;

const isOfBridge = ({ payload }: Message): boolean => payload[0] === AF.BRIDGE;

const HANDLERS: Readonly<Record<number, Handler>> = {
  [RTM.GETLINK]: getLink,
  [RTM.NEWLINK]: newLink,
  [RTM.SETLINK]: (view, request) => (isOfBridge(request) ? changeBridge(view, request) : newLink(view, request)),
  [RTM.DELLINK]: (view, request) => (isOfBridge(request) ? changeBridge(view, request) : deleteLink(view, request)),
  [RTM.NEWADDR]: changeAddress,
  [RTM.DELADDR]: changeAddress,
  [RTM.NEWNEIGH]: changeEntry,
  [RTM.NEWMDB]: changeGroup,
  [RTM.DELMDB]: changeGroup,
  [RTM.GETMDB]: getGroups,
  [RTM.DELNEIGH]: changeEntry,
  [RTM.GETNEIGH]: getNeigh,
  [RTM.NEWVLAN]: changeVlans,
  [RTM.DELVLAN]: changeVlans,
  [RTM.GETVLAN]: getVlans,
  [RTM.NEWTUNNEL]: changeVnis,
  [RTM.DELTUNNEL]: changeVnis,
  [RTM.GETTUNNEL]: getVnis,
  [RTM.GETSTATS]: getStats,
  [RTM.NEWNEXTHOP]: changeNexthop,
  [RTM.DELNEXTHOP]: changeNexthop,
  [RTM.GETNEXTHOP]: getNexthops,
};

/** RTM_GET*: the second bits of a type say what is done (linux/rtnetlink.h). */
const isQuestion = ({ type }: Message): boolean => (type & 3) === 2;

/** Messages of one request at most. */
const MAX_MESSAGES = 256;

/** What answers depend on. */
export interface Dispatched {
  readonly switches: Pick<Switches, 'of'>;
  /** Told of defects: of what is neither a refusal nor a fault of a request. */
  report(error: unknown): void;
}

/** Answers what a program has sent by a netlink socket. @returns null: all of it is for the kernel */
export async function dispatch(
  { switches, report }: Dispatched,
  caller: Caller,
  bytes: Buffer,
  conversation: Pick<Conversation, 'ask'>,
): Promise<Buffer[] | null> {
  const requests = readMessages(bytes);
  if (requests.length === 0 || requests.length > MAX_MESSAGES) return null;
  const kernel = new Kernel(conversation);
  const answers: (Buffer[] | null)[] = [];
  for (const request of requests) answers.push(await answerOne(switches, caller, request, kernel, report));
  if (answers.every((answer) => answer === null)) return null;
  const all: Buffer[][] = [];
  for (const [at, answer] of answers.entries()) {
    all.push(answer ?? (await fromKernel(kernel, caller, requests[at] as Message)));
  }
  return withinLimit(all.flat(), requests, caller);
}

/** Bytes of an answer at most; the library takes 64 MiB, with what stands between messages. */
const MAX_ANSWER = 62 * 1024 * 1024;

function withinLimit(answer: Buffer[], requests: readonly Message[], { portid }: Caller): Buffer[] {
  if (answer.reduce((sum, { length }) => sum + length, 0) <= MAX_ANSWER) return answer;
  const text = 'the listing is too long for overtap exec; ask for one bridge or port, or use the commands of overtap';
  return requests.map((request) => acknowledgement(request, portid, ERRNO.EMSGSIZE, text));
}

async function answerOne(
  switches: Pick<Switches, 'of'>,
  caller: Caller,
  request: Message,
  kernel: Kernel,
  report: (error: unknown) => void,
): Promise<Buffer[] | null> {
  const handler = HANDLERS[request.type];
  if (handler === undefined) return null;
  try {
    const here =
      (await switches.of(caller.netns)) ?? (needsSwitch(request) ? await switches.of(caller.netns, true) : undefined);
    if (here === undefined) return newWithoutSwitch(request);
    const answer = await handler(new View(here.client, kernel, caller, here.links, here.waiting), request);
    if (!isQuestion(request)) here.links.outdate();
    return answer;
  } catch (error) {
    return [refusal(request, caller, error, report)];
  }
}

/** Codes of the control socket's refusals as errnos of the kernel. */
const CODES: Readonly<Record<string, number>> = {
  exists: ERRNO.EEXIST,
  not_found: ERRNO.ENOENT,
  unsupported: ERRNO.EOPNOTSUPP,
};

/** What scripts look for in the output of ip and bridge, which print the text in place of the errno's words. */
const WORDS: Readonly<Record<number, string>> = {
  [ERRNO.EEXIST]: 'File exists',
  [ERRNO.ENOENT]: 'No such file or directory',
};

function wordsOf(errno: number, { message }: Error): string {
  const words = WORDS[errno];
  return message === '' || words === undefined ? message : `${words}: ${message}`;
}

function refusal(request: Message, { portid }: Caller, error: unknown, report: (error: unknown) => void): Buffer {
  if (error instanceof NetlinkFault) return acknowledgement(request, portid, error.errno, wordsOf(error.errno, error));
  if (error instanceof SwitchRefused) {
    const errno = CODES[error.code] ?? ERRNO.EINVAL;
    return acknowledgement(request, portid, errno, wordsOf(errno, error));
  }
  if (error instanceof SwitchUnreachable) return acknowledgement(request, portid, ERRNO.ENETDOWN, error.message);
  // Not the kernel's affair either: it would make devices of its own.
  report(error);
  return acknowledgement(request, portid, ERRNO.EINVAL, 'overtap exec has failed; please report what it has printed');
}

/** One of several messages, when another one of them is the switch's. */
async function fromKernel(kernel: Kernel, caller: Caller, request: Message): Promise<Buffer[]> {
  const { messages, last } = await kernel.request(request.type, request.flags, request.payload);
  const wanted = (request.flags & NLM_F.ACK) !== 0 || last.type !== 2 || last.payload.readInt32LE(0) !== 0;
  return [...messages, ...(wanted ? [last] : [])].map((one) =>
    writeMessage({ ...one, seq: request.seq, pid: caller.portid }),
  );
}
