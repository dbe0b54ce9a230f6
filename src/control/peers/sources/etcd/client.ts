/**
 * Speaks to one member of an etcd cluster by its JSON gateway (etcd 3.4, `/v3/...`), over HTTP/1.1. An answer is bounded in time and in bytes;
 * what it means is not judged here.
 */
import { Agent, type AgentOptions, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import type { AgentOptions as TlsOptions } from 'node:https';
import { readText } from '../../../../config/read/file.js';
import type { EtcdConfig } from '../../../../config/types.js';
import { Gathered } from '../../../gathered.js';
import { guarded } from '../../../guard.js';
import { Lines } from './lines.js';

/** Milliseconds for an answer. */
const ANSWER_MS = 5000;
/** Bytes of an answer: 4,096 records of the usual size are about 2 MiB. */
const MAX_ANSWER = 16 * 1024 * 1024;
/** Bytes of one message of a stream: etcd has messages of 1.5 MiB by default, and base64 makes them longer. */
const MAX_LINE = 4 * 1024 * 1024;
/** Milliseconds after which the kernel asks whether a quiet stream is still there. */
const ALIVE_MS = 5000;

/** etcd is not there, or refuses. The message completes "ENDPOINT ". */
export class EtcdFailure extends Error {}

/** One message of a stream, parsed. @returns false: the stream is not needed any more */
export type OnMessage = (message: unknown) => boolean;

export class EtcdClient {
  private token: string | null = null;

  private constructor(
    private readonly endpoint: string,
    private readonly config: EtcdConfig,
    private readonly signal: AbortSignal,
    private readonly agent: Agent,
    private readonly request: typeof httpRequest,
  ) {}

  /** Nothing is sent yet. @throws EtcdFailure when a certificate cannot be read */
  static async open(endpoint: string, config: EtcdConfig, signal: AbortSignal): Promise<EtcdClient> {
    const options: AgentOptions = { keepAlive: true, keepAliveMsecs: ALIVE_MS, maxSockets: 4 };
    if (!endpoint.startsWith('https:'))
      return new EtcdClient(endpoint, config, signal, new Agent(options), httpRequest);
    // Loaded only where it is needed: it costs each process some megabytes.
    const { Agent: TlsAgent, request } = await import('node:https');
    return new EtcdClient(endpoint, config, signal, new TlsAgent({ ...options, ...tlsOf(config) }), request);
  }

  close(): void {
    this.agent.destroy();
  }

  /** Logs in, where the configuration has a user. @throws EtcdFailure */
  async logIn(): Promise<void> {
    const { user, password_file: file } = this.config;
    if (user === undefined || file === undefined) return;
    const [password = ''] = readSecret(file).split(/\r?\n/);
    const answer = (await this.call('/v3/auth/authenticate', { name: user, password })) as { token?: unknown } | null;
    if (typeof answer?.token !== 'string') throw new EtcdFailure('has not accepted the user');
    this.token = answer.token;
  }

  /** One question and its answer, also where the gateway streams one message. @throws EtcdFailure */
  call(path: string, question: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const body = new Gathered();
      const fail = (message: string): void => {
        request.destroy();
        reject(new EtcdFailure(message));
      };
      const request = this.post(path, question, fail, (answer) => {
        answer.on(
          'data',
          guarded('etcd', (piece: Buffer) => {
            if (body.length + piece.length > MAX_ANSWER) fail(`answers with more than ${MAX_ANSWER} bytes`);
            else body.add(piece);
          }),
        );
        answer.on(
          'end',
          guarded('etcd', () => settle(answer, body.take(), resolve, fail)),
        );
      });
      const late = setTimeout(() => fail(`does not answer within ${ANSWER_MS / 1000} s`), ANSWER_MS);
      late.unref();
      request.on('close', () => clearTimeout(late));
    });
  }

  /** Messages until the stream ends or is not needed any more. @param until ends it early. @throws EtcdFailure */
  stream(path: string, body: object, until: AbortSignal, onMessage: OnMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      const lines = new Lines();
      const fail = (message: string): void => {
        request.destroy();
        reject(new EtcdFailure(message));
      };
      const take = (piece: Buffer): void => {
        for (const line of lines.take(piece)) {
          const end = endOf(line, onMessage);
          if (end === null) continue;
          if (end !== '') fail(end);
          request.destroy();
          resolve();
          return;
        }
        if (lines.waiting > MAX_LINE) fail(`sends a message of more than ${MAX_LINE} bytes`);
      };
      const request = this.post(path, body, fail, (answer) => {
        if (answer.statusCode !== 200) {
          fail(`refuses ${path} with HTTP status ${answer.statusCode}`);
          return;
        }
        answer.on('data', guarded('etcd', take));
        answer.on(
          'end',
          guarded('etcd', () => fail('has ended the stream')),
        );
      });
      request.on('socket', (socket) => socket.setKeepAlive(true, ALIVE_MS));
      const ended = (): void => fail('is not listened to any more');
      until.addEventListener('abort', ended);
      request.on('close', () => until.removeEventListener('abort', ended));
    });
  }

  private post(
    path: string,
    body: object,
    fail: (message: string) => void,
    onAnswer: (answer: IncomingMessage) => void,
  ): ClientRequest {
    const text = JSON.stringify(body);
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      ...(this.token === null ? {} : { authorization: this.token }),
    };
    const options = { method: 'POST', headers, agent: this.agent, signal: this.signal, maxHeaderSize: 16_384 };
    const request = this.request(`${this.endpoint}${path}`, options, guarded('etcd', onAnswer));
    const failed = guarded('etcd', (error: Error) => fail(`cannot be reached: ${error.message}`));
    request.on('error', failed);
    request.on('response', (answer) => answer.on('error', failed));
    request.end(text);
    return request;
  }
}

function settle(
  { statusCode }: IncomingMessage,
  body: Buffer,
  resolve: (answer: unknown) => void,
  fail: (message: string) => void,
): void {
  const answer = parsed(body.toString('utf8'));
  if (statusCode === 200 && answer !== undefined) {
    resolve(answer);
    return;
  }
  const said = typeof answer === 'object' && answer !== null && 'error' in answer ? answer.error : undefined;
  fail(typeof said === 'string' ? `refuses: ${said.slice(0, 200)}` : `answers with HTTP status ${statusCode}`);
}

/** @returns null: the stream goes on; why it cannot; '': it is not needed any more */
function endOf(line: string, onMessage: OnMessage): string | null {
  const message = parsed(line);
  if (message === undefined) return 'sends what is no JSON';
  try {
    return onMessage(message) ? null : '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function tlsOf({ ca, cert, key }: EtcdConfig): TlsOptions {
  return {
    ...(ca === undefined ? {} : { ca: readSecret(ca) }),
    ...(cert === undefined ? {} : { cert: readSecret(cert) }),
    ...(key === undefined ? {} : { key: readSecret(key) }),
  };
}

function readSecret(path: string): string {
  try {
    return readText(path, { regularFile: true });
  } catch (error) {
    throw new EtcdFailure(`is not asked: ${error instanceof Error ? error.message : String(error)}`);
  }
}
