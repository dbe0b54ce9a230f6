/**
 * The one way from a program to a running switch: HTTP with JSON bodies over its unix socket. Every request has a
 * deadline and every answer a largest size, so that a broken switch can neither hang nor fill its client.
 * It never retries, and it does not know what the answers mean.
 */
import { type IncomingMessage, request } from 'node:http';

/** Room for the listing of a full table: about a million FDB rows of 200 bytes. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
const DEADLINE_MS = 10_000;
/** sun_path of a unix address holds 108 bytes, the closing zero among them (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107;

/** No switch answers: there is no socket, nobody listens on it, or what answers is no switch. */
export class SwitchUnreachable extends Error {
  override readonly name = 'SwitchUnreachable';
}

/** The switch answered, and said no. The message is its reason. */
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
  /** Milliseconds from the request to the last byte of its answer. Default 10 000. */
  readonly deadlineMs?: number;
  /** Largest answer taken in, in bytes. Default 256 MiB. */
  readonly maxAnswerBytes?: number;
}

export interface SwitchClient {
  readonly socketPath: string;
  /**
   * The answer is trusted to have the shape T: the switch is of the same house (`api.ts`).
   * @throws SwitchUnreachable, SwitchRefused
   */
  get<T>(path: string): Promise<T>;
  /** As `get`, sending `body` as JSON. Resolves with undefined when the answer has no body. */
  post<T>(path: string, body: unknown): Promise<T>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A client of the switch whose control socket is at `socketPath`. Nothing is opened until it is used. */
export function createClient(socketPath: string, options: ClientOptions = {}): SwitchClient {
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  const maxBytes = options.maxAnswerBytes ?? MAX_ANSWER_BYTES;

  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH_BYTES) {
      throw new SwitchUnreachable(
        `the path of a control socket has at most ${MAX_SOCKET_PATH_BYTES} bytes; this one is longer: ${socketPath}`,
      );
    }
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answer = await exchange(socketPath, method, path, text, deadlineMs, maxBytes);
    if (method === 'GET' && answer.body === '' && isSuccess(answer.status)) throw foreign(socketPath);
    return readAnswer<T>(socketPath, answer);
  };

  return {
    socketPath,
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
  };
}

function exchange(
  socketPath: string,
  method: string,
  path: string,
  body: string | undefined,
  deadlineMs: number,
  maxBytes: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | number> = { accept: 'application/json' };
    if (body !== undefined) {
      headers['content-type'] = 'application/json';
      headers['content-length'] = Buffer.byteLength(body);
    }
    // Without an agent the connection closes with the answer, and so cannot keep the process alive.
    const outgoing = request({ socketPath, path, method, headers, agent: false });
    const timer = setTimeout(() => {
      // First the reason, then the end: a destroyed request would itself report only a reset connection.
      reject(new SwitchUnreachable(`the switch on ${socketPath} did not answer within ${deadlineMs / 1000} s`));
      outgoing.destroy();
    }, deadlineMs);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      outgoing.destroy();
      reject(explain(socketPath, error));
    };

    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      collect(socketPath, incoming, maxBytes).then((text) => {
        clearTimeout(timer);
        resolve({ status: incoming.statusCode ?? 0, body: text });
      }, fail);
    });
    outgoing.end(body);
  });
}

async function collect(socketPath: string, incoming: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    const part = chunk as Buffer;
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

/** Says what a failed connection means to the one who typed the command. */
function explain(socketPath: string, error: Error): Error {
  if (error instanceof SwitchUnreachable) return error;
  const code = 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTDIR':
    case 'ENOTSOCK':
      return new SwitchUnreachable(
        `no switch answers on ${socketPath}; start one with "overtap run -c FILE" or name its socket with -s`,
      );
    case 'EACCES':
    case 'EPERM':
      return new SwitchUnreachable(
        `not allowed to open ${socketPath}; only the user that runs the switch may (try as root)`,
      );
    case 'ECONNRESET':
    case 'EPIPE':
      return new SwitchUnreachable(`the switch on ${socketPath} hung up before it had answered`);
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
