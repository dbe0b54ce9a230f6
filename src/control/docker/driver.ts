/**
 * A network driver for Docker: networks are VLANs of one bridge, endpoints are TAPs, which Docker moves into containers.
 *
 * Docker names and addresses the NIC, and asks for one thing at a time about an endpoint: CreateEndpoint, Join, Leave,
 * DeleteEndpoint. Each is recorded before its device is made and after it is deleted, so a start finds every device that a killed
 * process has left; and each may be asked for twice, as Docker does after a restart of either side.
 */
import { type Attachments, short } from '../containers/attachments.js';
import { withNetwork } from '../containers/links.js';
import { macOf } from '../containers/mac.js';
import { readNetworkOptions } from './network-options.js';
import { planNetwork } from '../containers/network-plan.js';
import { readEndpoint, readEndpointId, readJoin, readNetwork, readNetworkId } from './protocol.js';
import { ProtocolError } from '../containers/contract.js';
import type { Endpoint, Network, Records } from '../containers/records.js';

type Answer = Record<string, unknown>;

export class DockerDriver {
  private readonly handlers: Readonly<Record<string, (body: unknown) => Answer | Promise<Answer>>> = {
    'Plugin.Activate': () => ({ Implements: ['NetworkDriver'] }),
    'NetworkDriver.GetCapabilities': () => ({ Scope: 'local', ConnectivityScope: 'global' }),
    'NetworkDriver.CreateNetwork': (body) => this.createNetwork(body),
    'NetworkDriver.DeleteNetwork': (body) => this.deleteNetwork(body),
    'NetworkDriver.CreateEndpoint': (body) => this.createEndpoint(body),
    'NetworkDriver.EndpointOperInfo': (body) => this.describe(body),
    'NetworkDriver.DeleteEndpoint': (body) => this.deleteEndpoint(body),
    'NetworkDriver.Join': (body) => this.join(body),
    'NetworkDriver.Leave': (body) => this.leave(body),
    // Of a swarm, and of ports that Docker publishes: nothing is done here.
    'NetworkDriver.DiscoverNew': () => ({}),
    'NetworkDriver.DiscoverDelete': () => ({}),
    'NetworkDriver.ProgramExternalConnectivity': () => ({}),
    'NetworkDriver.RevokeExternalConnectivity': () => ({}),
  };

  constructor(
    private readonly bridge: string,
    private readonly attachments: Attachments,
  ) {}

  private get records(): Records {
    return this.attachments.records;
  }

  /**
   * Answers a request, after those before it.
   * @param method such as `NetworkDriver.Join`
   * @throws ProtocolError, ChangeRefused or RecordsError: nothing has changed then
   */
  async answer(method: string, body: unknown): Promise<Answer> {
    const handler = Object.hasOwn(this.handlers, method) ? this.handlers[method] : undefined;
    if (handler === undefined) throw new ProtocolError(`${method.slice(0, 50)} is not known to this driver`);
    return this.attachments.inTurn(async () => handler(body));
  }

  private async createNetwork(body: unknown): Promise<Answer> {
    const { network: id, options: given, isInternal, gateway, gateway6 } = readNetwork(body);
    const options = readNetworkOptions(given);
    const present = this.records.network(id);
    if (present !== undefined) {
      await this.attachments.access.revise((document) => withNetwork(document, present)); // asked for again
      return {};
    }
    const isRouted = !isInternal && options.gateway !== 'none';
    const network: Network = {
      ...planNetwork(this.bridge, this.attachments.access.config, options, this.attachments.others()),
      remotes: options.remotes,
      ...(options.mtu === undefined ? {} : { mtu: options.mtu }),
      ...(isRouted && gateway !== undefined ? { gateway } : {}),
      ...(isRouted && gateway6 !== undefined ? { gateway6 } : {}),
    };
    await this.attachments.addNetwork(id, network);
    return {};
  }

  private async deleteNetwork(body: unknown): Promise<Answer> {
    await this.attachments.removeNetwork(readNetworkId(body));
    return {};
  }

  private async createEndpoint(body: unknown): Promise<Answer> {
    const { network, endpoint: id, mac: given, address } = readEndpoint(body);
    this.networkOf(network);
    const mac = given ?? macOf(address, id);
    const answer = { Interface: given === undefined ? { MacAddress: mac } : {} };
    const present = this.records.endpoint(id);
    if (present?.network === network && present.mac === mac) return answer;
    this.attachments.admit(id);
    await this.records.setEndpoint(id, { network, mac });
    return answer;
  }

  private async deleteEndpoint(body: unknown): Promise<Answer> {
    await this.attachments.remove(readEndpointId(body).endpoint);
    return {};
  }

  private async join(body: unknown): Promise<Answer> {
    const { network: networkId, endpoint: id, sandbox } = readJoin(body);
    const network = this.networkOf(networkId);
    const endpoint = this.endpointOf(id, networkId);
    const name = this.attachments.portOf(id);
    if (endpoint.sandbox !== sandbox || !this.attachments.access.hasNic(name))
      await this.attachments.connect(id, { ...endpoint, sandbox }, network, { ifname: name });
    return {
      InterfaceName: { SrcName: name, DstPrefix: 'eth' },
      ...(network.gateway === undefined ? {} : { Gateway: network.gateway }),
      ...(network.gateway6 === undefined ? {} : { GatewayIPv6: network.gateway6 }),
      // Otherwise Docker adds a NIC of its own with a default route.
      DisableGatewayService: true,
    };
  }

  private async leave(body: unknown): Promise<Answer> {
    await this.attachments.disconnect(readEndpointId(body).endpoint);
    return {};
  }

  private describe(body: unknown): Answer {
    const { endpoint: id, network: networkId } = readEndpointId(body);
    const { vlan, vni, bridge } = this.networkOf(networkId);
    this.endpointOf(id, networkId);
    return {
      Value: {
        'overtap.bridge': bridge,
        'overtap.port': this.attachments.portOf(id),
        'overtap.vlan': vlan,
        'overtap.vni': vni,
      },
    };
  }

  private networkOf(id: string): Network {
    const network = this.records.network(id);
    if (network === undefined)
      throw new ProtocolError(`network ${short(id)} is not known to this switch; remove it and create it again`);
    return network;
  }

  private endpointOf(id: string, network: string): Endpoint {
    const endpoint = this.records.endpoint(id);
    if (endpoint?.network !== network) throw new ProtocolError(`endpoint ${short(id)} is not known to this switch`);
    return endpoint;
  }
}
