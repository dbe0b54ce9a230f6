/**
 * The peer of a control socket connection: its process and user, as recorded by the kernel (SO_PEERCRED).
 */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { peerOf } from '../../port/process.js';
import { descriptorOf } from './descriptors.js';

/** `uid 0, pid 1234 (overtap)`. The name is the process's present one; the process may have ended. */
export function requester(socket: Socket): string {
  try {
    const { uid, pid } = peerOf(descriptorOf(socket));
    return `uid ${uid}, pid ${pid}${nameOf(pid)}`;
  } catch {
    return 'control socket'; // the connection is closed already
  }
}

function nameOf(pid: number): string {
  try {
    return ` (${readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd()})`;
  } catch {
    return '';
  }
}
