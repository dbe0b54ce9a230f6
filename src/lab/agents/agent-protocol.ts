/**
 * Owns the language between a lab's check and its agents: one JSON object a line, each request answered by exactly one
 * answer with the same id, and the ports and marks that
 * both sides know. It does nothing.
 */

/** What an agent can be asked, and what it answers. Times in milliseconds, addresses IPv4, ports of UDP or TCP. */
export interface AgentVerbs {
  /** The NIC as its namespace sees it. */
  nic: { ask: { ifname: string }; answer: { mtu: number; mac: string } };
  /**
   * Sends UDP probes to the echo port of another agent, each when the one before it is answered or given up; with
   * `untilLost`, the first one that is given up is the last one sent.
   */
  ping: {
    ask: { from: string; to: string; count: number; timeoutMs: number; untilLost: boolean };
    answer: { sent: number; received: number; medianMs: number; error: string | null };
  };
  /** How many probes this agent has answered, by the address they came from. */
  echoed: { ask: Record<string, never>; answer: { bySource: Record<string, number> } };
  /** Waits for one TCP connection; answered as soon as it listens. */
  receiveTcp: { ask: { port: number; timeoutMs: number }; answer: { listening: true } };
  /** What came by that connection, once its sender has closed it. */
  receivedTcp: { ask: { port: number }; answer: { bytes: number; sha256: string } };
  /** Sends random bytes over TCP. */
  sendTcp: {
    ask: { to: string; port: number; bytes: number; timeoutMs: number };
    answer: { bytes: number; sha256: string; ms: number };
  };
  /** Starts to count shouts on a port; with a group, joins it on the NIC that has the address `at`. */
  listen: { ask: { port: number; group: string | null; at: string }; answer: { listening: true } };
  /** How often each shout of a tag was heard, by its number. */
  heard: { ask: { port: number; tag: string }; answer: { times: number[] } };
  /** Sends numbered datagrams to a broadcast, multicast or unicast address. */
  shout: {
    ask: { from: string; to: string; port: number; tag: string; count: number; intervalMs: number };
    answer: { sent: number };
  };
}

export type AgentVerb = keyof AgentVerbs;
export type Ask<V extends AgentVerb> = AgentVerbs[V]['ask'];
export type Answer<V extends AgentVerb> = AgentVerbs[V]['answer'];

/** A line to the agent. */
export type AgentRequest = { [V in AgentVerb]: { id: number; verb: V; ask: Ask<V> } }[AgentVerb];

/** A line from the agent. The one with id 0 says that it is ready. */
export type AgentReply = { id: number; answer: unknown } | { id: number; error: string };

/** Where every agent answers probes (RFC 862 names port 7 for that). */
export const ECHO_PORT = 7;

/** Where every agent of a check counts shouts, and the group it joins for them. */
export const SHOUT_PORT = 4242;
export const SHOUT_GROUP = '239.7.7.7';

/** How the text of a shout begins, by which it is known again on the wire too. */
export function shoutMark(tag: string): string {
  return `overtap-shout ${tag} `;
}

/** The text of one shout of a series. */
export function shoutText(tag: string, number: number): string {
  return `${shoutMark(tag)}${number} `;
}
