/**
 * Frames a second that arrive, counted by guest 2's NIC while trafgen in guest 1 sends as many as it can. By default there
 * is one sender for each core: the kernel's switch works in the sender's thread, and with one sender it would have one
 * core only, while a switch in a process of its own has the others.
 *
 * The frames are IPv4 and UDP, for a MAC "behind" guest 2: the switches know it, because guest 2 sends one frame from it,
 * but guest 2's own IP stack drops what is for another station at its first look. So its work is not measured along.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { NIC, type Site } from './site.js';
import { announcement, datagram, sendOnce, startSenders } from './trafgen.js';
import type { Values } from './types.js';

const BEHIND = '02:00:00:00:b0:12';
/** How many bytes more than the frame the counters may say: NICs of the kernel do not agree on what they count. */
const SLACK = 24;

export interface FramesMeasure {
  readonly seconds: number;
  /** Length of a frame without FCS. */
  readonly size: number;
  readonly senders: number;
  /** Any process in guest 2, by which its counters are read without starting a program. */
  readonly counter: { readonly pid: number };
}

/** @returns thousands of frames a second */
export async function measureFrames(site: Site, { seconds, size, senders, counter }: FramesMeasure): Promise<Values> {
  const [from, to] = site.guests;
  await sendOnce(site, to, announcement(BEHIND, from));
  const programs = await startSenders(site, from, datagram(from, to, BEHIND, size), senders);
  try {
    await delay(Math.min(500, seconds * 250), null, { signal: site.signal });
    const rate = await countWhile(seconds, counter.pid, size, site.signal);
    for (const program of programs)
      if (!program.running) throw new Error(`${program.name} ended too early: ${program.lastWords}`);
    return { [`frames${size}`]: rate / 1000 };
  } finally {
    await Promise.all(programs.map((program) => program.end('SIGINT')));
  }
}

async function countWhile(seconds: number, pid: number, size: number, signal: AbortSignal): Promise<number> {
  const before = received(pid);
  await delay(seconds * 1000, null, { signal });
  const after = received(pid);
  const frames = after.frames - before.frames;
  if (frames <= 0) throw new Error(`no frame of ${size} bytes arrived in ${seconds} s`);
  const mean = (after.bytes - before.bytes) / frames;
  if (mean > size + SLACK)
    throw new Error(`the receiving NIC counted ${mean.toFixed(0)} bytes a frame, not ${size}: frames were merged`);
  return (frames * 1000) / (after.at - before.at);
}

/** What the NIC of a process's namespace has received, and when that was read, in ms. */
function received(pid: number): { bytes: number; frames: number; at: number } {
  const line = readFileSync(`/proc/${pid}/net/dev`, 'latin1')
    .split('\n')
    .find((text) => text.trim().startsWith(`${NIC}:`));
  const [bytes, frames] = (line ?? '').split(':')[1].trim().split(/\s+/).map(Number);
  return { bytes, frames, at: performance.now() };
}
