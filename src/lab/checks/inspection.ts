/**
 * Owns one run of a lab's check: agents, sniffers and findings. Agents and sniffers end with the check. It never knows
 * what a lab claims.
 */
import { openCapture } from '../../port/capture.js';
import { SHOUT_GROUP, SHOUT_PORT } from '../agents/agent-protocol.js';
import { type Agent, startAgents } from '../agents/agents.js';
import { Sniffer } from '../capture/sniffer.js';
import { daemonAgain, recordOf as daemonOf, endDaemon } from '../setup/daemons.js';
import type { LabEnvironment, SwitchClient } from '../setup/environment.js';
import { endMachine, machineAgain } from '../setup/machines.js';
import { type LabState, labFolder, recordOf } from '../setup/state.js';
import { endSwitch, startAgain } from '../setup/switches.js';
import type { Machine, Station, Topology } from '../setup/topology.js';
import { LabError, reasonOf } from '../testbed/errors.js';
import { type End, namespaceExists } from '../testbed/namespaces.js';
import { refuseIfInterrupted } from '../testbed/wait.js';
import { GuestConsole } from '../vm/console.js';
import { consolePath } from '../vm/virtual-machine.js';
import { type Finding, findingLine, type Print, type Seen } from './findings.js';

/** Undoes a temporary change of the lab. */
type Undo = () => Promise<void>;

/** A lab as far as an inspection knows it. */
export interface Inspected {
  readonly name: string;
  readonly topology: Topology;
  /** Proves the claims of the lab. */
  check(inspection: Inspection): Promise<void>;
}

export interface InspectionOptions {
  readonly state: LabState;
  readonly environment: LabEnvironment;
  readonly print: Print;
  /** Ends the check early when it is aborted. */
  readonly signal: AbortSignal;
  /** Gets each finding at once, so that a check that ends early keeps the ones made so far. */
  readonly findings: Finding[];
  /** Whether the lab stays up after the check. If not, an interrupt skips undoing, since the lab is removed next. */
  readonly staysUp: boolean;
}

export class Inspection {
  readonly topology: Topology;
  readonly #options: InspectionOptions;
  readonly #clients: Map<string, SwitchClient>;
  readonly #agents: Map<string, Agent>;
  readonly #consoles = new Map<string, GuestConsole>();
  readonly #sniffers: Sniffer[] = [];
  readonly #undos: Undo[] = [];

  private constructor(topology: Topology, agents: Map<string, Agent>, options: InspectionOptions) {
    const { state, environment } = options;
    this.topology = topology;
    this.#options = options;
    this.#agents = agents;
    this.#clients = new Map(state.switches.map(({ host, socket }) => [host, environment.connect(socket)]));
  }

  /** Aborted by an interrupt. */
  get signal(): AbortSignal {
    return this.#options.signal;
  }

  /**
   * Starts an agent at every station, makes all of them listen for shouts, runs the lab's check and ends the agents.
   * @throws LabError LAB_NOT_UP, LAB_AGENT_FAILED, LAB_TIMEOUT; Interrupted
   */
  static async run(lab: Inspected, options: InspectionOptions): Promise<void> {
    const { stations } = lab.topology;
    const { signal } = options;
    const lost = stations.find((station) => !namespaceExists(station.netns));
    if (lost) {
      const remedy = `take the lab down and up again (overtap lab down ${lab.name})`;
      throw new LabError('LAB_NOT_UP', `namespace ${lost.netns} is gone: ${remedy}`);
    }
    refuseIfInterrupted(signal);
    const agents = await startAgents(stations.map((station) => station.netns));
    const inspection = new Inspection(lab.topology, agents, options);
    // On an interrupt the agents end at once, so that no request to them holds the check up; so do the consoles of machines.
    const endAgents = (): void => {
      void inspection.#endAgents();
      inspection.#closeConsoles();
    };
    signal.addEventListener('abort', endAgents);
    try {
      // Without its switch a host has no TAPs, and every other claim would fail by its time-out.
      if (!(await inspection.#switchesAnswer())) return;
      for (const station of stations) {
        await inspection.agent(station).ask('listen', { port: SHOUT_PORT, group: SHOUT_GROUP, at: station.address });
      }
      await lab.check(inspection);
    } finally {
      signal.removeEventListener('abort', endAgents);
      await inspection.#close();
    }
  }

  /**
   * Tries a claim and records the outcome. A proof that throws has failed.
   * @returns whether it holds
   */
  async prove(claim: string, proof: () => Promise<Seen>): Promise<boolean> {
    refuseIfInterrupted(this.signal);
    let outcome: Seen;
    try {
      outcome = await proof();
    } catch (error) {
      refuseIfInterrupted(this.signal);
      outcome = { holds: false, seen: reasonOf(error) };
    }
    this.#record({ verdict: outcome.holds ? 'ok' : 'FAILED', claim, seen: outcome.seen });
    return outcome.holds;
  }

  agent(station: Station): Agent {
    const agent = this.#agents.get(station.netns);
    if (!agent) throw new RangeError(`there is no agent in ${station.netns}`);
    return agent;
  }

  /** The console of a virtual machine, which must be ready. */
  async guest(machine: Machine): Promise<GuestConsole> {
    const known = this.#consoles.get(machine.name);
    if (known) return known;
    const { folder } = recordOf(this.#options.state.machines, machine.name);
    const made = await GuestConsole.connect(consolePath(folder));
    this.#consoles.set(machine.name, made);
    return made;
  }

  client(host: string): SwitchClient {
    const client = this.#clients.get(host);
    if (!client) throw new RangeError(`no switch runs on ${host}`);
    return client;
  }

  /** Starts to read the VXLAN datagrams that pass an underlay NIC, to this UDP port (default 4789). */
  sniffUnderlay(end: End, port?: number): Sniffer {
    return this.#sniff(end, 'underlay', port);
  }

  /** Starts to read the frames that pass a guest's NIC in both directions. */
  sniffGuest(end: End): Sniffer {
    return this.#sniff(end, 'guest');
  }

  /** Sends frames by a NIC, as if its namespace's kernel sent them. */
  send(end: End, frames: readonly Uint8Array[]): void {
    const nic = openCapture({ netns: end.netns, ifname: end.ifname, promiscuous: false });
    try {
      for (const frame of frames) nic.write(frame);
    } finally {
      nic.close();
    }
  }

  /** Ends the switch of a host. It is started again when the check ends. */
  async endSwitch(host: string, by: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<'not running' | 'ended' | 'killed'> {
    this.#undos.push(() => this.startSwitch(host));
    return endSwitch(this.#options.state, host, by);
  }

  /** Switches a virtual machine off. It is started again when the check ends. */
  async endMachine(machine: Machine): Promise<'not running' | 'ended' | 'killed'> {
    const { state, environment } = this.#options;
    this.#undos.push(() => machineAgain(state, machine.name, environment));
    this.#consoles.get(machine.name)?.close();
    this.#consoles.delete(machine.name);
    return endMachine(recordOf(state.machines, machine.name));
  }

  /** Starts a virtual machine again and waits until its guest is ready. */
  startMachine({ name }: Machine): Promise<void> {
    return machineAgain(this.#options.state, name, this.#options.environment, this.signal);
  }

  /** Starts the switch of a host again and waits until it answers. */
  startSwitch(host: string): Promise<void> {
    return startAgain(this.#options.state, host, this.#options.environment);
  }

  /** Ends a daemon. It is started again when the check ends. */
  async endDaemon(name: string, by: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<'not running' | 'ended' | 'killed'> {
    this.#undos.push(() => this.startDaemon(name));
    return endDaemon(daemonOf(this.#options.state, name), by);
  }

  /** Starts a daemon again and waits until it answers. @param words further ones of its command line */
  startDaemon(name: string, ...words: string[]): Promise<void> {
    return daemonAgain(this.#options.state, name, this.#options.environment, words, this.signal);
  }

  /** Path of the folder of the lab. */
  get folder(): string {
    return labFolder(this.#options.environment.root, this.#options.state.lab);
  }

  /** Makes a change and undoes it when the check ends, also after a failure. */
  async temporarily(setUp: () => Promise<void>, undo: Undo): Promise<void> {
    await setUp();
    this.#undos.push(undo);
  }

  /** Undoes all temporary changes, the last one first. A failure is printed and does not stop the others. */
  async undoAll(): Promise<void> {
    for (let undo = this.#undos.pop(); undo; undo = this.#undos.pop()) {
      await undo().catch((error) => this.#options.print(`could not undo a change: ${reasonOf(error)}`));
    }
  }

  #switchesAnswer(): Promise<boolean> {
    return this.prove('the switch of every host answers', async () => {
      const hosts = [...this.#clients.entries()];
      const answers = await Promise.allSettled(hosts.map(([, client]) => client.get('/v1/info')));
      const failures = answers.flatMap((answer) => (answer.status === 'rejected' ? [reasonOf(answer.reason)] : []));
      const seen = failures.length === 0 ? hosts.map(([host]) => host).join(', ') : failures.join('; ');
      return { holds: hosts.length > 0 && failures.length === 0, seen };
    });
  }

  #sniff(end: End, where: 'underlay' | 'guest', port?: number): Sniffer {
    // Not promiscuous: a check must not change the NIC.
    const capture = openCapture({ netns: end.netns, ifname: end.ifname, promiscuous: false });
    const sniffer = new Sniffer(capture, where, port);
    this.#sniffers.push(sniffer);
    return sniffer;
  }

  #record(finding: Finding): void {
    this.#options.findings.push(finding);
    this.#options.print(findingLine(finding));
  }

  #closeConsoles(): void {
    for (const console of this.#consoles.values()) console.close();
    this.#consoles.clear();
  }

  async #endAgents(): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.close()));
  }

  async #close(): Promise<void> {
    for (const sniffer of this.#sniffers) sniffer.stop();
    await this.#endAgents();
    this.#closeConsoles();
    if (this.#options.staysUp || !this.signal.aborted) await this.undoAll();
  }
}
