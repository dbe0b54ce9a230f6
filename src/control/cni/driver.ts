/**
 * The switch's side of the CNI plugin: containers are TAPs in their namespaces, with the addresses that the IPAM plugin gives.
 *
 * The plugin runs the IPAM plugin, since that is a program of its host and not of the switch, and knows nothing itself. Each answer
 * says what it does next; state between two calls is only what is recorded.
 *
 *     ipam TYPE          run the IPAM plugin with the same environment and configuration, and call again with what it says
 *     undo TYPE          run it with DEL, then print the rest and end with status 1
 *     route DST [GW]     add a route in the container; more lines follow
 *     end STATUS         print the rest and end
 */
import { createHash } from 'node:crypto';
import { tapState } from '../../port/tap.js';
import { netnsNumber } from '../../port/netns.js';
import { readVtepIp, Refusal } from '../../values/address.js';
import { ChangeRefused } from '../controls.js';
import type { Attachments } from '../containers/attachments.js';
import { ProtocolError } from '../containers/contract.js';
import { macOf } from '../containers/mac.js';
import { planNetwork } from '../containers/network-plan.js';
import { type Endpoint, type Network, RecordsError } from '../containers/records.js';
import { isNamespace } from '../containers/recovery.js';
import { addResult } from './result.js';
import { type Addressing, type Call, CniError, type CniConfig, CODES, readAddressing, readCall } from './protocol.js';

export class CniDriver {
  constructor(
    private readonly bridge: string,
    private readonly attachments: Attachments,
  ) {}

  /** @throws CniError, ChangeRefused, RecordsError */
  async answer(body: unknown): Promise<string> {
    const call = readCall(body);
    try {
      return await this.attachments.inTurn(() => this.carryOut(call));
    } catch (error) {
      const isRefusal = [ProtocolError, ChangeRefused, RecordsError].some((kind) => error instanceof kind);
      if (!isRefusal || !(error instanceof Error)) throw error;
      throw new CniError(error.message, codeOf(error), call.config.cniVersion);
    }
  }

  private async carryOut(call: Call): Promise<string> {
    switch (call.command) {
      case 'ADD':
        return this.add(call);
      case 'DEL':
        if (call.ipam === undefined) await this.attachments.remove(idOf(call));
        return afterIpam(call);
      case 'CHECK':
        this.check(call);
        return afterIpam(call);
      case 'GC':
        if (call.ipam === undefined) await this.collect(call.config);
        return afterIpam(call);
      case 'STATUS':
        return afterIpam(call);
    }
  }

  private async add(call: Call): Promise<string> {
    const { config, ipam } = call;
    const type = config.ipam?.type;
    if (ipam === undefined) {
      this.examine(call);
      if (type !== undefined) return `ipam ${type}\n`;
    } else if (ipam.status !== 0) return failedIpam(ipam.output, config);
    try {
      const addressing = ipam === undefined ? { ips: [], routes: [] } : readAddressing(ipam.output);
      const { mac, mtu } = await this.connect(call, addressing);
      const routes = addressing.routes.map(({ dst, gw }) => `route ${dst}${gw === undefined ? '' : ` ${gw}`}\n`);
      return `${routes.join('')}end 0\n${addResult(call, addressing, mac, mtu)}`;
    } catch (error) {
      if (type === undefined) throw error;
      return `undo ${type}\n${failure(error, config)}`;
    }
  }

  /** Refuses before an address is given. */
  private examine({ netns, ifname, container, config }: Call): void {
    if (!isNamespace(netns) || netnsNumber(netns) === netnsNumber())
      throw new CniError(`CNI_NETNS: ${netns} is no network namespace of a container`, CODES.environment);
    if (this.attachments.records.endpoint(idOf({ config, container, ifname })) !== undefined)
      throw new CniError(`container ${container} has ${ifname} in network ${config.name} already`, CODES.config);
    if (tapState(ifname, netns) !== null)
      throw new CniError(`CNI_IFNAME: there is an interface ${ifname} in ${netns} already`, CODES.environment);
  }

  private async connect(call: Call, { ips }: Addressing): Promise<{ mac: string; mtu: number }> {
    const { config, netns, ifname } = call;
    this.examine(call);
    const id = idOf(call);
    const network = await this.networkOf(config);
    const mac = call.mac ?? macOf(ips[0]?.address, id);
    const endpoint: Endpoint = {
      network: config.name,
      mac,
      ifname,
      addresses: ips.map(({ address }) => address),
    };
    try {
      this.attachments.admit(id);
      await this.attachments.connect(id, { ...endpoint, sandbox: netns }, network, { netns, ifname });
    } catch (error) {
      await this.attachments.prune(config.name);
      throw error;
    }
    return { mac, mtu: tapState(ifname, netns)?.mtu ?? 0 };
  }

  /** Networks come with their first container, and go with their last one. */
  private async networkOf(config: CniConfig): Promise<Network> {
    const { name, vni, vlan, port, mtu } = config;
    const present = this.attachments.records.network(name);
    if (present !== undefined) {
      if (present.vni === vni && (vlan === undefined || present.vlan === vlan)) return present;
      throw new CniError(`network ${name} has containers in another VLAN or VNI; remove them first`, CODES.config);
    }
    const options = {
      remotes: remotesOf(config),
      ...(vni === undefined ? {} : { vni }),
      ...(vlan === undefined ? {} : { vlan }),
      ...(port === undefined ? {} : { port }),
    };
    const network = {
      ...planNetwork(this.bridge, this.attachments.access.config, options, this.attachments.others()),
      remotes: options.remotes,
      ...(mtu === undefined ? {} : { mtu }),
    };
    await this.attachments.addNetwork(name, network);
    return network;
  }

  private check({ config, container, ifname, netns }: Call): void {
    const id = idOf({ config, container, ifname });
    const endpoint = this.attachments.records.endpoint(id);
    if (endpoint === undefined || !this.attachments.access.hasNic(this.attachments.portOf(id)))
      throw new CniError(`container ${container} has no port for ${ifname}`, CODES.again);
    const nic = tapState(ifname, netns);
    if (nic?.mac !== endpoint.mac || !nic.up)
      throw new CniError(`${ifname} of container ${container} is not there, or not up`, CODES.again);
  }

  /** Removes what no longer belongs to a container that the runtime knows. */
  private async collect(config: CniConfig): Promise<void> {
    const valid = config['cni.dev/valid-attachments'] ?? [];
    const kept = new Set(valid.map(({ containerID, ifname }) => idOf({ config, container: containerID, ifname })));
    for (const [id, { network }] of this.attachments.records.allEndpoints())
      if (network === config.name && !kept.has(id)) await this.attachments.remove(id);
  }
}

function idOf({ config, container, ifname }: Pick<Call, 'config' | 'container' | 'ifname'>): string {
  return createHash('sha256').update([config.name, container, ifname].join('\0')).digest('hex');
}

function remotesOf({ remotes, vni }: CniConfig): string[] {
  if (remotes.length > 0 && vni === undefined) throw new CniError('remotes: need a vni', CODES.config);
  return remotes.map((given) => {
    const read = readVtepIp(given);
    if (read instanceof Refusal) throw new CniError(`remotes: ${read.message}`, CODES.config);
    return read;
  });
}

/** The switch has done its part: the IPAM plugin does its own, then the call ends without a result. */
function afterIpam({ command, config, ipam }: Call): string {
  const type = config.ipam?.type;
  // Plugins that speak an older version do not know these.
  const isKnown = config.cniVersion >= '1.1' || (command !== 'GC' && command !== 'STATUS');
  if (type !== undefined && ipam === undefined && isKnown) return `ipam ${type}\n`;
  return ipam === undefined || ipam.status === 0 ? 'end 0\n' : failedIpam(ipam.output, config);
}

/** Its own error, if it is one. */
function failedIpam(output: string, config: CniConfig): string {
  try {
    const error: unknown = JSON.parse(output);
    if (typeof error === 'object' && error !== null && 'msg' in error) return `end 1\n${JSON.stringify(error)}\n`;
  } catch {
    // As below.
  }
  return `end 1\n${failure(new CniError(`IPAM failed: ${output.slice(0, 500)}`, CODES.again), config)}`;
}

/** A refusal without a code of its own may be another one the next time. */
const codeOf = (error: unknown): number => (error instanceof CniError ? error.code : CODES.again);

/** The error of the specification, as text. */
export function failure(error: unknown, { cniVersion }: Pick<CniConfig, 'cniVersion'>): string {
  const code = codeOf(error);
  return `${JSON.stringify({ cniVersion, code, msg: `overtap: ${(error as Error).message}` })}\n`;
}
