/**
 * Received frames per second, counted by guest 2's NIC while trafgen in guest 1 sends as many as it can. By default there is
 * one sender per core: the kernel's switch works in the sender's thread, so one sender would give it one core only, and a
 * switch in its own process the others.
 *
 * The frames are UDP over IPv4 to a MAC "behind" guest 2. The switches have learned it, since guest 2 sends one frame from it,
 * but guest 2's IP stack drops frames to a foreign MAC at once. So its work hardly counts.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Measured } from '../proof/prove.js';
import { NIC, type Site } from '../site/site.js';
import { announcement, datagram, ETHERNET_BYTES, sendOnce, startSenders } from './trafgen.js';

/** Bytes that counters may add per frame: kernel drivers differ in the headers that they count. */
const SLACK = 24;

interface FramesMeasure {
  readonly seconds: number;
  /** Length of a frame without FCS. */
  readonly size: number;
  readonly senders: number;
  /** Any process in guest 2, to read the counters of its namespace from /proc. */
  readonly counter: { readonly pid: number };
}

/** @returns thousands of frames per second */
export async function measureFrames(site: Site, { seconds, size, senders, counter }: FramesMeasure): Promise<Measured> {
  const [from, to] = site.guests;
  const { behind } = site;
  await sendOnce(site, to, announcement(site));
  const programs = await startSenders(site, from, datagram(from, behind, behind.hop, size), senders);
  try {
    await delay(Math.min(500, seconds * 250), null, { signal: site.signal });
    const { rate, frames } = await countWhile(seconds, counter.pid, size, site.signal);
    for (const program of programs)
      if (!program.running) throw new Error(`${program.name} ended too early: ${program.lastWords}`);
    return {
      values: { [`frames${size}`]: rate / 1000 },
      carried: { there: frames * (size - ETHERNET_BYTES), back: 0 },
    };
  } finally {
    await Promise.all(programs.map((program) => program.end('SIGINT')));
  }
}

async function countWhile(
  seconds: number,
  pid: number,
  size: number,
  signal: AbortSignal,
): Promise<{ rate: number; frames: number }> {
  const before = received(pid);
  await delay(seconds * 1000, null, { signal });
  const after = received(pid);
  const frames = after.frames - before.frames;
  if (frames <= 0) throw new Error(`no frame of ${size} bytes arrived in ${seconds} s`);
  const mean = (after.bytes - before.bytes) / frames;
  if (mean > size + SLACK)
    throw new Error(`the receiving NIC counted ${mean.toFixed(0)} bytes a frame, not ${size}: frames were merged`);
  return { rate: (frames * 1000) / (after.at - before.at), frames };
}

/** Receive counters of the NIC in a process's namespace, and the time of reading in ms. */
function received(pid: number): { bytes: number; frames: number; at: number } {
  const line = readFileSync(`/proc/${pid}/net/dev`, 'latin1')
    .split('\n')
    .find((text) => text.trim().startsWith(`${NIC}:`));
  const [bytes, frames] = (line ?? '').split(':')[1].trim().split(/\s+/).map(Number);
  return { bytes, frames, at: performance.now() };
}
