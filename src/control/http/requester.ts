/**
 * What is at the other end of a connection to the control socket: the process and the user, as the kernel has noted them.
 */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { peerOf } from '../../port/process.js';
import { descriptorOf } from './descriptors.js';

/** `uid 0, pid 1234 (overtap)`. The name is what the process calls itself by now; it may have ended. */
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
