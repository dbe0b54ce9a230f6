/**
 * Client of the control socket: HTTP with JSON bodies over a unix socket. Every request has a deadline and every answer a
 * maximum size, so that a faulty switch can neither block its client nor exhaust its memory.
 * It never retries and does not interpret answers.
 */
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { AnswerTo, ReadPath, ReadRoutes, SwitchEvent, WritePath, WriteRoutes } from '../api/api.js';
import { NoEvents, readEvents } from './event-reader.js';

/** Room for the listing of a full table: about a million FDB rows of 200 bytes. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
const DEADLINE_MS = 10_000;
/** Limit of a whole answer, as a multiple of the silence deadline: the listing of a full table takes long. */
const DEADLINES_AN_ANSWER = 12;
/** Milliseconds without data on an event stream; the switch sends a keep-alive every 15 s. */
const EVENT_SILENCE_MS = 45_000;
/** Maximum size in bytes of the answer that refuses an event stream. */
const MAX_REFUSAL_BYTES = 64 * 1024;
/** sun_path of a unix address holds 108 bytes, including the terminating NUL (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107;

/** No switch answers: the socket does not exist, has no listener, or its listener is not a switch. */
export class SwitchUnreachable extends Error {
  override readonly name = 'SwitchUnreachable';

  /** @param absent the socket at which there is no switch at all */
  constructor(
    message: string,
    readonly absent?: string,
  ) {
    super(message);
  }
}

/** The switch refused the request. The message is its reason. */
export class SwitchRefused extends Error {
  override readonly name = 'SwitchRefused';

  constructor(
    message: string,
    /** The stable code of the reason. */
    readonly code: string,
    /** The HTTP status that came with it. */
    readonly status: number,
  ) {
    super(message);
  }
}

export interface ClientOptions {
  /** Maximum silence in milliseconds before or during an answer. Default 10 000. */
  readonly deadlineMs?: number;
  /** Maximum size of an answer in bytes. Default 256 MiB. */
  readonly maxAnswerBytes?: number;
  /** Keeps the connection for the next request; the caller then ends the process by itself. Default false. */
  readonly keepAlive?: boolean;
  /** What to do when there is no switch, for the error. */
  readonly remedy?: string;
}

const REMEDY = 'start one with "overtap run -c FILE" or name its socket with -s';

/** How a switch is reached. */
interface Reach {
  readonly socketPath: string;
  readonly deadlineMs: number;
  readonly remedy: string;
}

export interface SwitchClient {
  readonly socketPath: string;
  /**
   * The answer is assumed to have the shape that `src/api` defines for the path; it is not validated.
   * @param path with its query
   * @throws SwitchUnreachable, SwitchRefused
   */
  get<P extends ReadPath>(path: P | `${P}?${string}`): Promise<ReadRoutes[P]>;
  /** As `get`, sending `body` as JSON. Resolves with undefined when the answer has no body. */
  post<P extends WritePath, B extends WriteRoutes[P]['request']>(path: P, body: B): Promise<AnswerTo<P, B>>;
  /**
   * The switch's events from now on, for `for await`; leaving the loop ends the stream. Without an end of its own: it
   * ends when the signal aborts, and fails when the switch goes away.
   * @throws SwitchUnreachable, SwitchRefused
   */
  events(signal?: AbortSignal, options?: EventOptions): AsyncGenerator<SwitchEvent, void, undefined>;
  /**
   * What the switch does with frames from now on, as the bytes of a capture file (pcapng); ends as `events` does.
   * @throws SwitchUnreachable, SwitchRefused
   */
  capture(signal: AbortSignal, query?: CaptureOptions): AsyncGenerator<Uint8Array, void, undefined>;
}

export interface CaptureOptions {
  /** Ports and addresses of remotes. Default: all. */
  readonly interfaces?: readonly string[];
  readonly snaplen?: number;
  /** Words of a filter (`values/frame-filter.ts`). */
  readonly filter?: readonly string[];
}

export interface EventOptions {
  /** Selects these kinds, and `lost`. Default: all. */
  readonly kinds?: readonly SwitchEvent['event'][];
  /** Called once, when the switch has opened the stream; it then has every later event. */
  readonly onOpen?: () => void;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A client of the switch whose control socket is at `socketPath`. Nothing is opened until it is used. */
export function createClient(socketPath: string, options: ClientOptions = {}): SwitchClient {
  const { deadlineMs = DEADLINE_MS, remedy = REMEDY } = options;
  const reach = { socketPath, deadlineMs, remedy };
  const maxBytes = options.maxAnswerBytes ?? MAX_ANSWER_BYTES;
  // Without an agent the connection closes after the answer, so it does not keep the process alive.
  const agent = options.keepAlive === true && new Agent({ keepAlive: true, maxSockets: 1 });

  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    checkPath(socketPath);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answer = await exchange({ method, path, agent }, text, reach, maxBytes);
    if (method === 'GET' && answer.body === '' && isSuccess(answer.status)) throw foreign(socketPath);
    return readAnswer<T>(socketPath, answer);
  };

  return {
    socketPath,
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    events: (signal, eventOptions) => followEvents(reach, signal, eventOptions),
    capture: (signal, query) => followCapture(reach, signal, query),
  };
}

function checkPath(socketPath: string): void {
  if (Buffer.byteLength(socketPath) <= MAX_SOCKET_PATH_BYTES) return;
  throw new SwitchUnreachable(
    `the path of a control socket has at most ${MAX_SOCKET_PATH_BYTES} bytes; this one is longer: ${socketPath}`,
  );
}

// ---- events ----

async function* followEvents(
  reach: Reach,
  signal: AbortSignal | undefined,
  { kinds, onOpen }: EventOptions = {},
): AsyncGenerator<SwitchEvent, void, undefined> {
  const { socketPath } = reach;
  checkPath(socketPath);
  const unwanted = (): boolean => signal?.aborted === true;
  if (unwanted()) return;
  const path = kinds === undefined ? '/v1/events' : `/v1/events?kinds=${kinds.join(',')}`;
  const outgoing = request({ socketPath, path, headers: { accept: 'text/event-stream' }, agent: false });
  const abort = (): void => void outgoing.destroy();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const incoming = await answerTo(outgoing, reach);
    if (!isSuccess(incoming.statusCode ?? 0)) throw await streamRefused(socketPath, incoming);
    outgoing.setTimeout(EVENT_SILENCE_MS, () => {
      if (incoming.readableLength > 0) return; // the reader is slow, not the switch
      incoming.destroy(new SwitchUnreachable(`the switch on ${socketPath} has fallen silent`));
    });
    yield* readEvents(incoming, onOpen);
    throw gone(socketPath);
  } catch (error) {
    if (unwanted()) return;
    throw streamFailure(socketPath, error);
  } finally {
    signal?.removeEventListener('abort', abort);
    outgoing.destroy();
  }
}

/** A switch ends the capture of a client that does not read, too. */
const CAPTURE_ENDS = 'has ended the capture: it has gone, or nothing was read for a minute';
const EVENTS_END = 'has gone; no more events will come';

async function* followCapture(
  reach: Reach,
  signal: AbortSignal,
  { interfaces, snaplen, filter = [] }: CaptureOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { socketPath } = reach;
  checkPath(socketPath);
  const query = new URLSearchParams({
    ...(interfaces === undefined || interfaces.length === 0 ? {} : { interfaces: interfaces.join(',') }),
    ...(snaplen === undefined ? {} : { snaplen: String(snaplen) }),
    ...(filter.length === 0 ? {} : { filter: filter.join(' ') }),
  });
  const outgoing = request({ socketPath, path: `/v1/capture?${query}`, agent: false });
  const abort = (): void => void outgoing.destroy();
  if (signal.aborted) return;
  signal.addEventListener('abort', abort, { once: true });
  try {
    const incoming = await answerTo(outgoing, reach);
    if (!isSuccess(incoming.statusCode ?? 0)) throw await streamRefused(socketPath, incoming);
    for await (const chunk of incoming) yield chunk as Buffer;
    throw gone(socketPath, CAPTURE_ENDS);
  } catch (error) {
    if (signal.aborted) return;
    throw streamFailure(socketPath, error, CAPTURE_ENDS);
  } finally {
    signal.removeEventListener('abort', abort);
    outgoing.destroy();
  }
}

/** Resolves with the head of the answer. Later errors belong to the body and are thrown to its reader. */
function answerTo(outgoing: ClientRequest, reach: Reach): Promise<IncomingMessage> {
  const { socketPath, deadlineMs } = reach;
  return new Promise((resolve, reject) => {
    const late = new SwitchUnreachable(`the switch on ${socketPath} did not answer within ${deadlineMs / 1000} s`);
    const timer = setTimeout(() => outgoing.destroy(late), deadlineMs);
    outgoing.once('response', (incoming) => {
      clearTimeout(timer);
      resolve(incoming);
    });
    outgoing.on('error', (error) => {
      clearTimeout(timer);
      reject(explain(reach, error));
    });
    outgoing.end();
  });
}

async function streamRefused(socketPath: string, incoming: IncomingMessage): Promise<Error> {
  const body = parseJson(await collect(socketPath, incoming, MAX_REFUSAL_BYTES));
  return refusal(incoming.statusCode ?? 0, body);
}

function streamFailure(socketPath: string, error: unknown, what = EVENTS_END): unknown {
  if (error instanceof NoEvents) return foreign(socketPath);
  // Node reports a truncated answer as ECONNRESET.
  if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') return gone(socketPath, what);
  return error;
}

const gone = (socketPath: string, what = EVENTS_END): SwitchUnreachable =>
  new SwitchUnreachable(`the switch on ${socketPath} ${what}`);

// ---- requests ----

function exchange(
  target: { method: string; path: string; agent: Agent | false },
  body: string | undefined,
  reach: Reach,
  maxBytes: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { socketPath, deadlineMs } = reach;
    const outgoing = request({ ...target, socketPath, headers: headersFor(body) });
    const deadlines = startDeadlines(deadlineMs, (message) => {
      // Reject with the reason before destroying: a destroyed request reports only a reset connection.
      reject(new SwitchUnreachable(`the switch on ${socketPath} ${message}`));
      outgoing.destroy();
    });
    const fail = (error: Error): void => {
      deadlines.stop();
      outgoing.destroy();
      reject(explain(reach, error));
    };
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      collect(socketPath, incoming, maxBytes, deadlines.alive).then((text) => {
        deadlines.stop();
        resolve({ status: incoming.statusCode ?? 0, body: text });
      }, fail);
    });
    outgoing.end(body);
  });
}

function headersFor(body: string | undefined): Record<string, string | number> {
  const accept = { accept: 'application/json' };
  if (body === undefined) return accept;
  return { ...accept, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
}

/** Deadlines of one answer: for silence, extended by `alive`, and for the whole answer. */
function startDeadlines(deadlineMs: number, late: (message: string) => void): { alive(): void; stop(): void } {
  const silence = setTimeout(() => late(`did not answer within ${deadlineMs / 1000} s`), deadlineMs);
  const wholeMs = DEADLINES_AN_ANSWER * deadlineMs;
  const whole = setTimeout(() => late(`did not end its answer within ${wholeMs / 1000} s`), wholeMs);
  return {
    alive: () => void silence.refresh(),
    stop() {
      clearTimeout(silence);
      clearTimeout(whole);
    },
  };
}

async function collect(
  socketPath: string,
  incoming: IncomingMessage,
  maxBytes: number,
  alive: () => void = () => undefined,
): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    const part = chunk as Buffer;
    alive();
    bytes += part.length;
    if (bytes > maxBytes) {
      throw new SwitchUnreachable(
        `the switch on ${socketPath} answered with more than ${maxBytes} bytes; not taken in`,
      );
    }
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The error message for a failed connection. */
function explain({ socketPath, remedy }: Reach, error: Error): Error {
  if (error instanceof SwitchUnreachable) return error;
  const code = 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTDIR':
    case 'ENOTSOCK':
      return new SwitchUnreachable(`no switch answers on ${socketPath}; ${remedy}`, socketPath);
    case 'EACCES':
    case 'EPERM':
      return new SwitchUnreachable(
        `not allowed to open ${socketPath}; only the user that runs the switch may (try as root)`,
      );
    case 'EAGAIN':
      return new SwitchUnreachable(`the switch on ${socketPath} has too many clients at the moment; try again`);
    case 'ECONNRESET':
    case 'EPIPE':
      return new SwitchUnreachable(
        `the switch on ${socketPath} hung up before it had answered: it ends, or has as many clients as it may have; its log says which`,
      );
    default:
      if (code.startsWith('HPE_')) return foreign(socketPath);
      return new SwitchUnreachable(`no answer from the switch on ${socketPath}: ${error.message}`);
  }
}

const foreign = (socketPath: string): SwitchUnreachable =>
  new SwitchUnreachable(`what answers on ${socketPath} is not an overtap switch; name the switch's socket with -s`);

function readAnswer<T>(socketPath: string, answer: Answer): T {
  const parsed = parseJson(answer.body);
  if (!isSuccess(answer.status)) throw refusal(answer.status, parsed);
  if (parsed === undefined && answer.body !== '') throw foreign(socketPath);
  return parsed as T;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function refusal(status: number, body: unknown): SwitchRefused {
  if (isRecord(body) && isRecord(body.error) && typeof body.error.message === 'string') {
    const code = typeof body.error.code === 'string' ? body.error.code : 'unknown';
    return new SwitchRefused(body.error.message, code, status);
  }
  return new SwitchRefused(`the switch refused with HTTP status ${status} and gave no reason`, 'unknown', status);
}

const isSuccess = (status: number): boolean => status >= 200 && status <= 299;

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
