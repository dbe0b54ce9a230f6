/**
 * Log lines about a switch: its ports at the start, later events of ports and offloads.
 */

import { OFFLOAD_COSTS } from '../../port/refusals.js';
import type { Logger } from '../log/logger.js';
import { kindOf } from '../ports/registry.js';
import type { Switch, SwitchEvents } from '../switch.js';

/** A log line for each event, except the failure of an engine, which ends the run. */
export function eventLines(log: Logger): Omit<SwitchEvents, 'failed'> {
  return {
    portFault: (port, fault) =>
      fault === null ? log.info({ port }, 'port up again') : log.warn({ port, fault }, 'port down'),
    nicMoved: (port, nic, heldBack) =>
      log.info({ port, nic, heldBack }, 'the NIC of a port was renamed or moved: it is followed'),
    macChanged: (port, before, mac) =>
      log.info({ port, before, mac }, "the MAC of a host port's NIC has changed: its entries follow"),
    offloadMissing: (offload, reason, asked) =>
      log[asked ? 'warn' : 'info'](
        { offload, reason, costs: OFFLOAD_COSTS[offload] },
        'offload not available: doing without',
      ),
    superframesMissing: (reason) =>
      log.info({ offload: 'flow', reason }, 'superframes out of tunnels go by the sockets'),
    refused: ({ part, reason, costs }, isNeeded) =>
      log[isNeeded ? 'warn' : 'info']({ part, reason, costs }, 'refused by this host: doing without'),
    offloadHeldBack: (offload, reason) => log.info({ offload, reason }, 'offload not used for the time being'),
    offloadLost: (offload) => log.warn({ offload }, 'offload failed and is not used any more'),
    unknownVtep: ({ port, address, vni, count }, heldBack) =>
      log.warn(
        { port, address, vni, count, heldBack },
        'datagrams dropped: their sender is no remote of the port (vtep_unknown); add it to remotes or peers if it is a VTEP of yours',
      ),
    macMoves: (moves, heldBack) =>
      log.warn({ ...moves, heldBack }, 'a MAC moves between ports: a loop, or two guests with one MAC'),
    loop: ({ bridge, port, with: other, vid }, isThere) => {
      const facts = { bridge, port, with: other, ...(vid === 0 ? {} : { vlan: vid }) };
      if (!isThere) log.info(facts, 'the loop is gone: the port is open again');
      else if (port === other)
        log.warn(facts, 'loop behind a port: it is blocked (loop_blocked) until the loop is gone');
      else log.warn(facts, 'loop between two ports: one is blocked (loop_blocked) until the loop is gone');
    },
    tree: ({ bridge, port, state, role, what }) => {
      const facts = { bridge, port, state, role };
      if (what === 'bpdu_guard')
        log.warn(facts, 'a bridge is behind a port with bpdu_guard: the port is closed until it is set down and up');
      else if (state === 'learning') log.debug(facts, 'port in the spanning tree');
      else log.info(facts, 'port in the spanning tree');
    },
    peerSource: (port, source, reason, heldBack) =>
      reason === null
        ? log.info({ port, source, heldBack }, 'source of peers works again')
        : log.warn({ port, source, reason, heldBack }, 'source of peers fails: what it has said stays'),
    evpn: ({ event: _, change, ...facts }, heldBack) => {
      const line = { ...facts, heldBack };
      if (change === 'neighbor_up') log.info(line, 'BGP session up');
      else if (change === 'neighbor_down') log.warn(line, 'BGP session down');
      else if (change === 'duplicate_mac')
        log.warn(line, 'a MAC moves between VTEPs: two guests with one MAC, or a loop; it is left alone');
      else if (change !== 'routes_refused') log.warn(line, 'the neighbour has three quarters of max_routes');
      else if (facts.reason === 'attributes')
        log.warn(line, 'routes of the neighbour are refused: their attributes have taken its part of the memory');
      else log.warn(line, 'routes of the neighbour are refused: max_routes is reached');
    },
    evpnFault: (text, heldBack) => log.warn({ heldBack }, `evpn: ${text}`),
    remote: ({ port, address, state, diag }, heldBack) => {
      const facts = { port, remote: address, diag, heldBack };
      if (state === 'up') log.info(facts, 'remote up');
      else if (state === 'down') log.warn(facts, 'remote dead: what is for it goes elsewhere');
      else log.info(facts, 'remote has closed its BFD session');
    },
    pathMtu: ({ port, address, mtu, search }, heldBack) => {
      const facts = { port, remote: address, path_mtu: mtu, heldBack };
      if (search === 'error' && mtu === 0) log.warn(facts, 'the remote answers no probes of the path MTU');
      else if (search === 'base') log.warn(facts, 'long packets to the remote are lost: its path MTU is searched anew');
      else log.info({ ...facts, search }, 'path MTU of the remote found by probes');
    },
    livenessFault: (reason) =>
      reason === null ? log.info('all BFD sessions can be had') : log.warn({ reason }, 'BFD sessions are missing'),
    ownTunnel: ({ port, bridge, remote }) =>
      log.warn(
        { port, bridge, remote },
        `the route to remote ${remote} leads into ${bridge === undefined ? `port ${port}` : `bridge ${bridge}`}: the switch does not carry its own tunnel (own_tunnel); give the remote a route by another device`,
      ),
  };
}

/** Logs one line for each port. */
export function logPorts(running: Switch, log: Logger): void {
  for (const port of running.model.ports.values()) {
    if (running.model.lost.has(port.index)) {
      log.warn({ port: port.name, fault: port.fault }, 'port waits');
    } else {
      log.info({ port: port.name, ...kindOf(port).summary(port) }, `${port.kind} port`);
    }
  }
}
