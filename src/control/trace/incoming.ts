/** From a request to a frame at a port: its bytes, what the switch knows for a description, and for a vxlan port the datagram. */
import type { TraceRequest } from '../../api/trace.js';
import { fidOf } from '../../dataplane/state/fid.js';
import { type BuiltFrame, buildFrame } from '../../frames/build.js';
import { fillFrame, type Known } from '../../frames/fill.js';
import { parseFrame } from '../../frames/parse.js';
import { FrameTextError } from '../../frames/spec.js';
import type { FdbReader } from '../../fdb/table.js';
import type { NeighReader } from '../../neigh/table.js';
import type { Arrival } from '../../port/memory.js';
import { KIND_FRAME, KIND_UDP } from '../../port/packet-io.js';
import { fromHex } from '../../wire/bytes.js';
import { ETHERNET_HEADER, formatMac } from '../../wire/ethernet.js';
import { parseAddress } from '../../wire/ip-address.js';
import { ChangeRefused } from '../controls.js';
import { isTunnel, type Port, type SwitchModel, type TapPort, type VxlanPort } from '../model/model.js';
import type { Incoming } from './ingress-steps.js';
import { encapsulate } from './encapsulate.js';

/** Bytes of the longest frame in a datagram. */
const LONGEST_INNER = 65_400;

export interface Told {
  model: SwitchModel;
  neigh: NeighReader;
  fdb: FdbReader;
}

/** @throws ChangeRefused */
export function incomingOf(request: TraceRequest, port: Port, told: Told): { arrival: Arrival; incoming: Incoming } {
  const { bytes, offload, made } = frameOf(request, port, told);
  const segment = offload === undefined || offload.vnet >>> 8 === 0 ? 0 : offload.gso & 0xffff;
  const incoming = { port: port.index, frame: bytes, segment, made };
  if (isTunnel(port)) {
    if (segment !== 0) throw new ChangeRefused('a superframe does not come out of a tunnel; leave gso out');
    const outer = outerOf(request, port);
    return { arrival: datagram(outer, bytes, request.tos ?? 0, port), incoming: { ...incoming, outer } };
  }
  if (request.from !== undefined || request.vni !== undefined)
    throw new ChangeRefused(`port ${port.name} is no vxlan port; leave "from" and "vni" out`);
  // The device of a layer-3 port has packets without an Ethernet header.
  const given = port.kind === 'tun' ? bytes.slice().fill(0, 0, ETHERNET_HEADER) : bytes;
  return { arrival: { kind: KIND_FRAME, index: port.index, bytes: given, ...offload }, incoming };
}

function datagram(
  { from, vni }: { from: string; vni: number },
  frame: Uint8Array,
  tos: number,
  port: VxlanPort,
): Arrival {
  if (frame.length > LONGEST_INNER)
    throw new ChangeRefused(`a datagram carries a frame of ${LONGEST_INNER} bytes at most, not ${frame.length}`);
  const address = parseAddress(from)?.words ?? [0, 0, 0, 0];
  return {
    kind: KIND_UDP,
    index: port.underlay.socket,
    bytes: encapsulate(port.config.type, vni, frame),
    address,
    tos,
  };
}

function frameOf({ description, frame, offload }: TraceRequest, port: Port, told: Told): BuiltFrame {
  if ((description === undefined) === (frame === undefined))
    throw new ChangeRefused('give the frame either as a description or as hex digits');
  if (frame !== undefined) return { bytes: fromHex(frame), made: [], ...(offload === undefined ? {} : { offload }) };
  return describedFrame(description as string, port, told);
}

function describedFrame(description: string, port: Port, told: Told): BuiltFrame {
  try {
    const spec = parseFrame(description);
    const vid = spec.tags[0]?.kind === 'vlan' && spec.tags[0].vid !== 0 ? spec.tags[0].vid : port.pvid;
    return buildFrame(fillFrame(spec, knownAt(port, vid, told)));
  } catch (error) {
    if (error instanceof FrameTextError || error instanceof RangeError)
      throw new ChangeRefused(`the description of the frame: ${error.message}`);
    throw error;
  }
}

/** What the tables say about hosts of the frame's VLAN. */
function knownAt(port: Port, vid: number, { neigh }: Told): Known {
  const { bridge } = port;
  const fid = bridge === null ? 0 : fidOf(bridge.index, bridge.config.vlan_filtering ? vid : 0);
  return {
    macOf(address) {
      const words = parseAddress(address)?.words;
      const binding = fid === 0 || words === undefined ? null : neigh.find(fid, words);
      return binding === null ? undefined : formatMac(binding.high, binding.low);
    },
    ownMac: ownMacOf(port),
  };
}

/** The MAC of the guest's NIC, where the switch has made it. */
function ownMacOf(port: Port): string | undefined {
  const mac = port.kind === 'tap' || port.kind === 'tun' ? (port as TapPort).tap.mac : '';
  return mac === '' ? undefined : mac;
}

function outerOf({ from, vni }: TraceRequest, port: VxlanPort): { from: string; vni: number } {
  const remotes = [...port.vteps.keys()];
  const sender = from ?? (remotes.length === 1 ? remotes[0] : undefined);
  if (sender === undefined)
    throw new ChangeRefused(`port ${port.name} has ${remotes.length} remotes; say with "from" whose datagram it is`);
  const number = vni ?? (port.vnis.length === 1 ? port.vnis[0].vni : undefined);
  if (number === undefined)
    throw new ChangeRefused(`port ${port.name} carries ${port.vnis.length} VNIs; say with "vni" which one it is`);
  return { from: sender, vni: number };
}
