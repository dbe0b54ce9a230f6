/**
 * Owns the programs that run for a while in a namespace: switches, iperf3, trafgen, sockperf. Each has a process group
 * of its own, so that a Ctrl-C on the terminal does not end it half-way and so that what it forks ends with it. A signal
 * goes only to a program that has not ended yet; a number that may be somebody else's by now is never hit.
 */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

/** Kept of a program's output; more than any of them says in one measure. */
const KEPT = 1 << 20;
const GRACE_MS = 3000;

export class Program {
  #child;
  #isOver = false;
  #out = '';
  #err = '';
  #closed;

  /**
   * Starts a program. `ip netns exec` becomes the program, so the process id is its own.
   * @param {string} netns
   * @param {readonly string[]} command
   * @param {{ env?: Record<string, string> }} [options] variables beside those of this process
   */
  constructor(netns, command, { env = {} } = {}) {
    this.name = `${command.slice(0, 3).join(' ')} in ${netns}`;
    this.#child = spawn('ip', ['netns', 'exec', netns, ...command], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text) => {
      this.#out = (this.#out + text).slice(-KEPT);
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#err = (this.#err + text).slice(-KEPT);
    });
    this.#child.on('exit', () => {
      this.#isOver = true;
    });
    this.#closed = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve({ failure: error.message }));
      this.#child.on('close', (status, signal) =>
        resolve({ failure: status === 0 ? null : `ended with ${signal ?? `status ${status}`}` }),
      );
    });
  }

  get pid() {
    return this.#child.pid;
  }

  get isRunning() {
    return !this.#isOver && this.#child.pid !== undefined;
  }

  get output() {
    return this.#out;
  }

  /** The last things it said, for an error's message. */
  get lastWords() {
    return `${this.#out}\n${this.#err}`.trim().split('\n').slice(-8).join('\n');
  }

  /**
   * Waits until it has ended by itself.
   * @returns its standard output
   * @throws when it fails, takes longer than `limitMs`, or the signal is aborted; it is killed then
   */
  async toEnd(limitMs, signal) {
    const over = new AbortController();
    const tooLate = delay(limitMs, null, { signal: AbortSignal.any([over.signal, signal]) });
    try {
      const ended = await Promise.race([this.#closed, tooLate]);
      if (ended === null) throw new Error(`${this.name}: no end within ${limitMs / 1000} s`);
      if (ended.failure !== null) throw new Error(`${this.name} ${ended.failure}: ${this.lastWords}`);
      return this.#out;
    } finally {
      over.abort();
      tooLate.catch(() => {});
      await this.stop('SIGKILL');
    }
  }

  /** Ends it and what it forked; SIGKILL when it is still there after three seconds. Ended already: nothing to do. */
  async stop(signal = 'SIGTERM') {
    if (this.isRunning) process.kill(-this.pid, signal);
    const over = new AbortController();
    const timer = delay(GRACE_MS, 'late', { signal: over.signal });
    timer.catch(() => {});
    const how = await Promise.race([this.#closed, timer]);
    over.abort();
    if (how !== 'late') return;
    if (this.isRunning) process.kill(-this.pid, 'SIGKILL');
    // One that it forked may hold the pipes although it has ended itself; the site's end ends that one too.
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream.destroy();
    await this.#closed;
  }
}
