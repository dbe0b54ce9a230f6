/** `/v1/trace`: what the switch would do with a frame, and why. */
import { z } from 'zod';
import { value } from '../values/value.js';
import { count, linkName, said } from './fields.js';

/** Characters of a description, and hex digits of a frame: the longest one of a local port. */
export const FRAME_TEXT = 4096;
export const FRAME_HEX = 2 * 65_599;
/** Copies that are listed; the others are counted. */
export const COPIES_LISTED = 1024;

const gso = z.strictObject({
  vnet: z.int().min(0).max(0xffff),
  gso: z.int().min(0).max(0xffffffff),
  csum: z.int().min(0).max(0xffffffff),
});

export const TRACE_REQUEST = z.strictObject({
  port: linkName,
  description: said(
    z.string().max(FRAME_TEXT),
    'The frame in words, as `overtap help trace` describes them.',
  ).exactOptional(),
  frame: said(
    z
      .string()
      .max(FRAME_HEX)
      .regex(/^([0-9a-f]{2})*$/i, 'expected an even number of hex digits'),
    'Its bytes from the destination MAC on, as hex digits, in place of a description.',
  ).exactOptional(),
  offload: said(gso, 'virtio-net words of a superframe, in place of `gso` in a description.').exactOptional(),
  from: said(value.ip, 'Of a vxlan port: the VTEP whose datagram brings the frame.').exactOptional(),
  vni: said(value.vni, 'The VNI of that datagram; default: that of the frame, or of the port.').exactOptional(),
  tos: said(z.int().min(0).max(255), 'The outer type of service of that datagram.').exactOptional(),
  frames: said(z.boolean(), 'Whether the answer has the bytes of the copies.').exactOptional(),
  apply: said(z.boolean(), 'Whether the frame is also taken in, as if it had come by the port.').exactOptional(),
});

export type TraceRequest = z.output<typeof TRACE_REQUEST>;

const ENTRY = z
  .record(z.string(), z.unknown())
  .meta({ description: 'The row of a table that decided: `table` names it, the other keys are those of its listing.' });

const STEP = z.object({ stage: z.string(), code: z.string(), text: z.string(), entry: ENTRY.exactOptional() }).meta({
  id: 'TraceStep',
  description: 'One step of the frame through the switch: one sentence for people in `text`.',
});

export type TraceStep = z.output<typeof STEP>;

export const VERDICTS = ['forwarded', 'flooded', 'answered', 'held', 'dropped'] as const;
export type Verdict = (typeof VERDICTS)[number];

const COPY = z
  .object({
    port: z.string(),
    remote: z.string().exactOptional(),
    udp_port: z.int().exactOptional(),
    vni: z.int().exactOptional(),
    encapsulation: said(z.literal('geneve'), 'Of a copy to a remote; absent: VXLAN.').exactOptional(),
    tag: said(z.int(), 'The VID of the outermost tag that the copy leaves with.').exactOptional(),
    tos: said(z.int(), 'Outer type of service of a copy to a remote.').exactOptional(),
    local: said(z.string(), 'The outer source address of a copy to a remote, where it is configured.').exactOptional(),
    verdict: z.enum(['sent', 'dropped']),
    reason: z.string().exactOptional(),
    answer: said(z.literal(true), 'A frame that the switch itself says: an ARP, ND or ICMP answer.').exactOptional(),
    mirror: said(z.literal(true), 'A copy for a mirror (SPAN).').exactOptional(),
    length: said(count, 'Bytes of the Ethernet frame.').exactOptional(),
    fragmented: said(count, 'The packet is sent as fragments, in frames of so many bytes at most.').exactOptional(),
    frame: said(z.int(), 'Position of its bytes in `frames`.').exactOptional(),
  })
  .meta({ id: 'TraceCopy', description: 'A copy of the frame at its egress port.' });

export type TraceCopy = z.output<typeof COPY>;

export const TRACE_ANSWER = z
  .object({
    port: z.string(),
    vlan: z.int().exactOptional(),
    steps: z.array(STEP),
    verdict: z.enum(VERDICTS),
    reason: z.string().exactOptional(),
    copies: z.array(COPY),
    decided_by: z.array(z.string()),
    frame: said(z.string(), 'The bytes of the frame that was traced.'),
    frames: said(z.array(z.string()), 'Bytes of the copies, each once.').exactOptional(),
    copies_left_out: said(count, 'Copies that are not listed.').exactOptional(),
    applied: z.literal(true).exactOptional(),
  })
  .meta({ id: 'Trace', description: 'What the switch does with one frame.' });

export type TraceAnswer = z.output<typeof TRACE_ANSWER>;
