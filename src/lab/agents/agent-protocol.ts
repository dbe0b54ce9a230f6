/**
 * The protocol between a lab's check and its agents: one JSON object per line; each request gets exactly one answer, with
 * the same id. Also the ports and text formats that both sides use.
 */

/** Requests and answers of each verb. Times are in milliseconds, addresses are IPv4, ports are UDP or TCP ports. */
export interface AgentVerbs {
  /** MTU and MAC of a NIC in the agent's namespace. */
  nic: { ask: { ifname: string }; answer: { mtu: number; mac: string } };
  /**
   * Sends UDP probes to the echo port of another agent, one at a time; a probe is lost when no echo arrives within
   * `timeoutMs`. With `untilLost` the first lost probe is the last one.
   */
  ping: {
    ask: { from: string; to: string; count: number; timeoutMs: number; untilLost: boolean };
    answer: { sent: number; received: number; medianMs: number; error: string | null };
  };
  /** Number of probes that this agent has answered, by source address. */
  echoed: { ask: Record<string, never>; answer: { bySource: Record<string, number> } };
  /** Waits for one TCP connection; the answer comes as soon as the agent listens. */
  receiveTcp: { ask: { port: number; timeoutMs: number }; answer: { listening: true } };
  /** The data received by that connection; the answer comes when the sender has closed it. */
  receivedTcp: { ask: { port: number }; answer: { bytes: number; sha256: string } };
  /** Sends random bytes over TCP. */
  sendTcp: {
    ask: { to: string; port: number; bytes: number; timeoutMs: number };
    answer: { bytes: number; sha256: string; ms: number };
  };
  /** Starts to count shouts on a port. A multicast group is joined on the NIC with the address `at`. */
  listen: { ask: { port: number; group: string | null; at: string }; answer: { listening: true } };
  /** How often each shout of a series was received, by its number. */
  heard: { ask: { port: number; tag: string }; answer: { times: number[] } };
  /** Sends a series of shouts: datagrams with a tag and a number, to a broadcast, multicast or unicast address. */
  shout: {
    ask: { from: string; to: string; port: number; tag: string; count: number; intervalMs: number };
    answer: { sent: number };
  };
}

export type AgentVerb = keyof AgentVerbs;
export type Ask<V extends AgentVerb> = AgentVerbs[V]['ask'];
export type Answer<V extends AgentVerb> = AgentVerbs[V]['answer'];

/** A line sent to the agent. */
export type AgentRequest = { [V in AgentVerb]: { id: number; verb: V; ask: Ask<V> } }[AgentVerb];

/** A line from the agent. The line with id 0 reports that the agent is ready. */
export type AgentReply = { id: number; answer: unknown } | { id: number; error: string };

/** UDP port on which every agent answers probes: the echo port of RFC 862. */
export const ECHO_PORT = 7;

/** UDP port on which every agent counts shouts, and the multicast group that it joins. */
export const SHOUT_PORT = 4242;
export const SHOUT_GROUP = '239.7.7.7';

/** The start of a shout's payload, by which a capture recognises the series. */
export function shoutMark(tag: string): string {
  return `overtap-shout ${tag} `;
}

/** The payload of one shout of a series. */
export function shoutText(tag: string, number: number): string {
  return `${shoutMark(tag)}${number} `;
}
