/**
 * Owns the check's side of the agents: starting them in namespaces, sending requests, ending them. No agent stays behind:
 * it ends with its standard input, even when this process is killed.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { LabError } from '../testbed/errors.js';
import type { AgentReply, AgentVerb, Answer, Ask } from './agent-protocol.js';

/** The bundled agent; the relative path is the same from src/lab and from dist/lab. */
const AGENT_FILE = fileURLToPath(new URL('../../../dist/bundle/agent.js', import.meta.url));

const START_LIMIT_MS = 15_000;
const END_LIMIT_MS = 2_000;
/** Limit of requests without a time limit of their own. */
const REQUEST_LIMIT_MS = 10_000;
/** Added to a request's own time limit, since the agent's answer explains more than a time-out here. */
const SLACK_MS = 5_000;

interface Pending {
  resolve(answer: unknown): void;
  reject(error: Error): void;
  readonly timer: NodeJS.Timeout;
}

/** One agent in one namespace. */
export class Agent {
  readonly netns: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #complaints = '';
  #dead: LabError | null = null;

  private constructor(netns: string, agentFile: string) {
    this.netns = netns;
    // In a session of its own: Ctrl-C on the terminal reaches only the check, which then ends its agents.
    this.#child = spawn('ip', ['netns', 'exec', netns, process.execPath, agentFile], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-2000);
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line));
    this.#exited = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        this.#fail(error.message);
        resolve();
      });
      this.#child.on('close', (status, signal) => {
        this.#fail(`ended with ${signal ?? `status ${status}`}`);
        resolve();
      });
    });
  }

  /**
   * Starts an agent and waits until it is ready.
   * @throws LabError LAB_AGENT_FAILED
   */
  static async start(netns: string, agentFile = AGENT_FILE): Promise<Agent> {
    if (!existsSync(agentFile)) {
      throw new LabError('LAB_AGENT_FAILED', `${agentFile} is missing: build overtap first (npm run build)`);
    }
    const agent = new Agent(netns, agentFile);
    try {
      await agent.#expect(0, START_LIMIT_MS, 'to start');
      return agent;
    } catch (error) {
      await agent.close();
      throw error;
    }
  }

  /**
   * Sends a request.
   * @throws LabError LAB_AGENT_FAILED with the agent's reason, or LAB_TIMEOUT
   */
  ask<V extends AgentVerb>(verb: V, ask: Ask<V>): Promise<Answer<V>> {
    if (this.#dead) return Promise.reject(this.#dead);
    const id = this.#nextId++;
    const answer = this.#expect(id, limitOf(ask), `to ${verb}`);
    this.#child.stdin.write(`${JSON.stringify({ id, verb, ask })}\n`);
    return answer as Promise<Answer<V>>;
  }

  /** Ends the agent; open requests fail. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_LIMIT_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #expect(id: number, limitMs: number, purpose: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        const text = `the agent in ${this.netns} took more than ${limitMs / 1000} s ${purpose}`;
        reject(new LabError('LAB_TIMEOUT', text));
      }, limitMs);
      this.#pending.set(id, { resolve, reject, timer });
    });
  }

  #take(line: string): void {
    const reply = JSON.parse(line) as AgentReply;
    const pending = this.#pending.get(reply.id);
    if (!pending) return;
    this.#pending.delete(reply.id);
    clearTimeout(pending.timer);
    if ('error' in reply) pending.reject(new LabError('LAB_AGENT_FAILED', `${this.netns}: ${reply.error}`));
    else pending.resolve(reply.answer);
  }

  #fail(how: string): void {
    const said = this.#complaints.trim();
    this.#dead ??= new LabError('LAB_AGENT_FAILED', `the agent in ${this.netns} ${how}${said ? `: ${said}` : ''}`);
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(this.#dead);
    }
    this.#pending.clear();
  }
}

/** The time limit of a request, from the durations in it. */
function limitOf(ask: object): number {
  const { timeoutMs = 0, count = 1 } = ask as { timeoutMs?: number; count?: number };
  return Math.max(REQUEST_LIMIT_MS, timeoutMs * count + SLACK_MS);
}

/**
 * Starts one agent in each namespace.
 * @returns the agents by namespace
 * @throws LabError if one does not start; the others are ended
 */
export async function startAgents(namespaces: readonly string[], agentFile = AGENT_FILE): Promise<Map<string, Agent>> {
  const outcomes = await Promise.allSettled(namespaces.map((netns) => Agent.start(netns, agentFile)));
  const agents = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure) {
    await Promise.all(agents.map((agent) => agent.close()));
    throw failure.reason;
  }
  return new Map(agents.map((agent) => [agent.netns, agent]));
}
