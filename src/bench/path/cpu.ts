/**
 * Owns reading what processes and the whole machine have used: processor time and memory.
 */
import { readFileSync } from 'node:fs';
import type { Program } from '../../lab/testbed/program.js';

/** Ticks a second in /proc/stat: USER_HZ, the same on every architecture that Node runs on. */
const USER_HZ = 100;

/**
 * Seconds that all processors together have worked since boot, in user space, kernel and interrupts. The machine's sum
 * is the only fair one: the kernel's switch has no process to charge, and a softirq is charged to whoever it hits.
 */
export function busySeconds(): number {
  const [, ...fields] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0].trim().split(/\s+/);
  const [user, nice, system, , , irq, softirq] = fields.map(Number);
  return (user + nice + system + irq + softirq) / USER_HZ;
}

/** Resident memory of some programs together, in MiB. */
export function residentMib(programs: readonly Program[]): number {
  const kib = programs.map(({ pid }) =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]),
  );
  return kib.reduce((sum, one) => sum + one, 0) / 1024;
}
