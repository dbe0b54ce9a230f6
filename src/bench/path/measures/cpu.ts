/** Processor time of the machine, and memory of processes. */
import { readFileSync } from 'node:fs';
import type { Program } from '../../../lab/testbed/program.js';

/** Ticks per second in /proc/stat, the same on every architecture that Node supports. */
const USER_HZ = 100;

/**
 * Busy seconds of all processors since boot: user space, kernel and interrupts. Only the sum of the machine is fair: the
 * kernel's switch has no process, and the kernel charges a softirq to the process that it interrupts.
 */
export function busySeconds(): number {
  const [, ...fields] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0].trim().split(/\s+/);
  const [user, nice, system, , , irq, softirq] = fields.map(Number);
  return (user + nice + system + irq + softirq) / USER_HZ;
}

/** Total resident memory of programs, in MiB. */
export function residentMib(programs: readonly Program[]): number {
  const kib = programs.map(({ pid }) =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]),
  );
  return kib.reduce((sum, one) => sum + one, 0) / 1024;
}
