/**
 * Owns one run of a lab's check: the agents, the sniffers and the findings, and that none of the first two outlives
 * it. It never knows what a lab claims.
 */
import { openCapture } from '../../port/capture.js';
import { SHOUT_GROUP, SHOUT_PORT } from '../agents/agent-protocol.js';
import { type Agent, startAgents } from '../agents/agents.js';
import { Sniffer } from '../capture/sniffer.js';
import type { LabEnvironment, SwitchClient } from '../setup/environment.js';
import type { LabState } from '../setup/state.js';
import { endSwitch, startAgain } from '../setup/switches.js';
import type { Station, Topology } from '../setup/topology.js';
import { LabError, reasonOf } from '../testbed/errors.js';
import { type End, namespaceExists } from '../testbed/namespaces.js';
import { refuseIfInterrupted } from '../testbed/wait.js';
import { type Finding, findingLine, type Print, type Seen } from './findings.js';

/** Undoes something that was set up for the time of the check. */
type Undo = () => Promise<void>;

/** What can be inspected: a lab, as far as an inspection knows it. */
export interface Inspected {
  readonly name: string;
  readonly topology: Topology;
  /** Proves what the lab is there to show. */
  check(inspection: Inspection): Promise<void>;
}

export class Inspection {
  readonly topology: Topology;
  readonly signal: AbortSignal;
  readonly #findings: Finding[];
  readonly #state: LabState;
  readonly #environment: LabEnvironment;
  readonly #clients: Map<string, SwitchClient>;
  readonly #agents: Map<string, Agent>;
  readonly #print: Print;
  readonly #sniffers: Sniffer[] = [];
  readonly #undos: Undo[] = [];

  private constructor(
    topology: Topology,
    state: LabState,
    environment: LabEnvironment,
    clients: Map<string, SwitchClient>,
    agents: Map<string, Agent>,
    findings: Finding[],
    print: Print,
    signal: AbortSignal,
  ) {
    this.#findings = findings;
    this.topology = topology;
    this.#state = state;
    this.#environment = environment;
    this.#clients = clients;
    this.#agents = agents;
    this.#print = print;
    this.signal = signal;
  }

  /**
   * Starts an agent at every station, has all of them listen for shouts, runs the lab's check and ends the agents.
   * @param findings gets each finding as it is made, so that those of a check that ends early are not lost
   */
  static async run(
    lab: Inspected,
    state: LabState,
    environment: LabEnvironment,
    findings: Finding[],
    print: Print,
    signal: AbortSignal,
  ): Promise<void> {
    const { stations } = lab.topology;
    const lost = stations.find((station) => !namespaceExists(station.netns));
    if (lost) {
      const remedy = `take the lab down and up again (overtap lab down ${lab.name})`;
      throw new LabError('LAB_NOT_UP', `namespace ${lost.netns} is gone: ${remedy}`);
    }
    const clients = new Map(state.switches.map((record) => [record.host, environment.connect(record.socket)]));
    const agents = await startAgents(stations.map((station) => station.netns));
    const inspection = new Inspection(lab.topology, state, environment, clients, agents, findings, print, signal);
    const endAgents = (): void => void inspection.#endAgents();
    // An interrupt ends the agents at once, so that whatever waits for one of them does not have to wait for long.
    signal.addEventListener('abort', endAgents);
    try {
      // With a switch gone, its TAPs are gone as well, and every further claim would only wait for its time-out.
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
   * Tries a claim and records what came of it; what is thrown meanwhile makes it fail.
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

  /** Records a claim that overtap does not make yet. It fails nothing. */
  later(claim: string, why: string): void {
    this.#record({ verdict: 'later', claim, seen: why });
  }

  agent(station: Station): Agent {
    const agent = this.#agents.get(station.netns);
    if (!agent) throw new RangeError(`there is no agent in ${station.netns}`);
    return agent;
  }

  client(host: string): SwitchClient {
    const client = this.#clients.get(host);
    if (!client) throw new RangeError(`no switch runs on ${host}`);
    return client;
  }

  /** Starts to read the VXLAN datagrams that pass an underlay NIC, to the UDP port given or else to 4789. */
  sniffUnderlay(end: End, port?: number): Sniffer {
    return this.#sniff(end, 'underlay', port);
  }

  /** Starts to read the frames that pass a guest's NIC, both ways. */
  sniffGuest(end: End): Sniffer {
    return this.#sniff(end, 'guest');
  }

  /** Puts frames on the wire of a NIC, as if its namespace sent them. */
  send(end: End, frames: readonly Uint8Array[]): void {
    const nic = openCapture({ netns: end.netns, ifname: end.ifname, promiscuous: false });
    try {
      for (const frame of frames) nic.write(frame);
    } finally {
      nic.close();
    }
  }

  /** Ends the switch of a host. When the check ends, however it ends, it is started again. */
  async endSwitch(host: string): Promise<'not running' | 'ended' | 'killed'> {
    this.#undos.push(() => this.startSwitch(host));
    return endSwitch(this.#state, host);
  }

  /** Starts the switch of a host again, and waits until it answers. */
  startSwitch(host: string): Promise<void> {
    return startAgain(this.#state, host, this.#environment);
  }

  /** Sets something up and remembers how to undo it when the check ends, however it ends. */
  async temporarily(setUp: () => Promise<void>, undo: Undo): Promise<void> {
    await setUp();
    this.#undos.push(undo);
  }

  /** Undoes what was set up so far, last first; what cannot be undone is said, and keeps nothing else. */
  async undoAll(): Promise<void> {
    for (let undo = this.#undos.pop(); undo; undo = this.#undos.pop()) {
      await undo().catch((error) => this.#print(`could not be undone: ${reasonOf(error)}`));
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
    // Not promiscuous: a check looks on, it changes nothing about the NIC.
    const capture = openCapture({ netns: end.netns, ifname: end.ifname, promiscuous: false });
    const sniffer = new Sniffer(capture, where, port);
    this.#sniffers.push(sniffer);
    return sniffer;
  }

  #record(finding: Finding): void {
    this.#findings.push(finding);
    this.#print(findingLine(finding));
  }

  async #endAgents(): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.close()));
  }

  async #close(): Promise<void> {
    for (const sniffer of this.#sniffers) sniffer.stop();
    await this.#endAgents();
    await this.undoAll();
  }
}
