/**
 * Requests for a tunnel (CONNECT, RFC 9110 section 9.3.6): once accepted, the connection belongs to the two processes at its ends, and
 * no longer to the HTTP server. Knows nothing of what they say.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { guarded } from '../guard.js';
import { descriptorOf } from './descriptors.js';
import { errorAnswer } from './http-refusal.js';
import { requester } from './requester.js';

/** Milliseconds for which a process that was refused may keep its connection. */
const PARTING_MS = 2000;

export interface TunnelRequest {
  /** The target of the request. */
  target: string;
  /** See `requester`. */
  by: string;
  socket: Socket;
  /** Of the socket. */
  fd: number;
  accept(): void;
  /** Answers with a reason and closes the connection. */
  refuse(code: string, message: string): void;
}

export function serveTunnels(server: Server, take: (request: TunnelRequest) => void): void {
  server.on(
    'connect',
    guarded('connection', (request: IncomingMessage, socket: Socket) => {
      socket.on('error', () => socket.destroy());
      const fd = descriptorOf(socket);
      if (fd < 0) return;
      const accept = (): void => void socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const refuse = (code: string, message: string): void => answer(socket, code, message);
      take({ target: request.url ?? '', by: requester(socket), socket, fd, accept, refuse });
    }),
  );
}

function answer(socket: Socket, code: string, message: string): void {
  const body = JSON.stringify(errorAnswer(code, message));
  socket.end(
    `HTTP/1.1 422 Unprocessable Content\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  // The HTTP server, which has limits of time, does not know the connection any more; half closed it would be one of those that may be.
  socket.resume();
  const parting = setTimeout(() => socket.destroy(), PARTING_MS);
  parting.unref();
  socket.once('close', () => clearTimeout(parting));
}
