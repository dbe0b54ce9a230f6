/**
 * The document of a switch in memory: every local port becomes a TAP port, or stays a TUN port, since they differ in their devices
 * only. What is of this host falls away: namespaces, descriptors, the control socket.
 */
import type { Document, Mapping } from '../../config/edit/tree.js';
import { PORT_KINDS, type PortType } from '../../config/options/kinds.js';

/** Two patch ports that are joined, by name. */
export type Patches = ReadonlyMap<string, string>;

const OF_HOST = ['netns', 'fd', 'persist'];

/** @param document a checked one */
export function inMemory(document: Document): { document: Document; patches: Patches } {
  const patches = new Map<string, string>();
  const portsOf = (ports: unknown): Mapping =>
    Object.fromEntries(
      Object.entries((ports ?? {}) as Mapping).map(([name, body]) => [name, portOf(name, body as Mapping, patches)]),
    );
  const bridgeOf = (body: unknown): Mapping => {
    const { ports, ...own } = without((body ?? {}) as Mapping, OF_HOST);
    return { ...own, ports: portsOf(ports) };
  };
  const bridges = Object.entries((document.bridges ?? {}) as Mapping).map(([name, body]) => [name, bridgeOf(body)]);
  const { control: _, workers: _workers, metrics: _metrics, docker: _docker, cni: _cni, ...rest } = document;
  return {
    document: {
      ...rest,
      bridges: Object.fromEntries(bridges),
      ...(document.ports === undefined ? {} : { ports: portsOf(document.ports) }),
    },
    patches,
  };
}

function portOf(name: string, body: Mapping, patches: Map<string, string>): Mapping {
  const type = body.type as PortType;
  if (type === 'patch') patches.set(name, String(body.peer));
  if (type === 'gateway') return body;
  if (type === 'tap' || type === 'tun' || PORT_KINDS[type].tunnels) return without(body, OF_HOST);
  return { ...without(body, [...OF_HOST, ...Object.keys(PORT_KINDS[type].options)]), type: 'tap' };
}

function without(body: Mapping, keys: readonly string[]): Mapping {
  return Object.fromEntries(Object.entries(body).filter(([key]) => !keys.includes(key)));
}
