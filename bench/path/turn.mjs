/**
 * One turn: one variant in one column, built, measured and taken away again. Nothing of another variant is there
 * meanwhile: ovs-vswitchd works even when no frame comes, and would be measured along.
 */
import { residentMib } from './cpu.mjs';
import { measureFrames } from './measure-frames.mjs';
import { measureLatency } from './measure-latency.mjs';
import { measureTcp, startTcpServer, warmUp } from './measure-tcp.mjs';
import { Site } from './site.mjs';
import { VARIANTS } from './variants.mjs';

/** Lengths of the frames that are counted, in bytes without FCS. */
export const FRAME_SIZES = [64, 512, 1400];

/**
 * @param {{ variant: string, column: 'A' | 'B', seconds: number, senders: number, only: readonly string[] }} what
 * @returns {Promise<Record<string, number>>} values by measure (rows.mjs names them)
 */
export async function takeTurn({ variant, column, seconds, senders, only }, signal) {
  const { switches, measures } = VARIANTS[variant];
  const site = new Site(signal);
  try {
    await site.build(column);
    const processes = [];
    for (const [index, attach] of switches.entries()) processes.push(await attach(site, site.hosts[index]));
    await site.checkGuests();
    const server = await startTcpServer(site);
    await warmUp(site);

    const values = {};
    const wanted = (group) => only.includes(group);
    for (const streams of wanted('tcp') ? measures.tcp : [])
      Object.assign(values, await measureTcp(site, { seconds, streams }));
    for (const size of wanted('frames') && measures.frames ? FRAME_SIZES : [])
      Object.assign(values, await measureFrames(site, { seconds, size, senders, counter: server }));
    if (wanted('latency') && measures.latency) Object.assign(values, await measureLatency(site, { seconds }));
    // Of one host; the kernel's switch has no process, and mixed hosts are not compared.
    if (processes.every((programs) => programs.length > 0)) values.memory = residentMib(processes[0]);
    return values;
  } finally {
    await site.takeDown();
  }
}

/** Every turn of a run, in order. Each round begins with another variant, so that none always follows the same one. */
export function planTurns({ rounds, columns, variants, only }) {
  const turns = [];
  for (let round = 1; round <= rounds; round++) {
    for (const column of columns) {
      const here = variants.filter((name) => hasWork(name, column, only));
      for (let i = 0; i < here.length; i++) turns.push({ round, column, variant: here[(i + round - 1) % here.length] });
    }
  }
  return turns;
}

function hasWork(name, column, only) {
  const { columns, measures } = VARIANTS[name];
  if (!columns.includes(column)) return false;
  return only.some((group) => measures[group] === true || measures[group].length > 0);
}
