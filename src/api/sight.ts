/** `/v1/drops`: the last frames of each drop reason. The bytes of guests: for those who may change the switch. */
import { z } from 'zod';
import { count, said } from './fields.js';

export const DROPS_QUERY = z.strictObject({
  reason: said(z.string().min(1).max(64), 'Only this reason.').exactOptional(),
});

export const DROPPED_FRAME = z
  .object({
    time: said(z.string(), 'ISO 8601.'),
    port: z.string(),
    direction: said(z.enum(['rx', 'tx']), 'It came in by the port, or was to leave by it.'),
    reason: z.string(),
    length: said(count, 'Of the whole frame.'),
    frame: said(z.string(), 'Its first 128 bytes, in hexadecimal, as it lay in the switch.'),
    vlan: z.int().exactOptional(),
    vni: z.int().exactOptional(),
    remote: said(z.string(), 'The VTEP that it came from or was to go to.').exactOptional(),
    engine: count,
    number: said(
      count,
      'Its place among the drops of this reason by this engine. Between two, the others were not kept.',
    ),
  })
  .meta({ id: 'DroppedFrame', description: 'A frame that was dropped.' });

export type DroppedFrame = z.output<typeof DROPPED_FRAME>;

export const CAPTURE_QUERY = z.strictObject({
  interfaces: said(
    z.string().max(8192),
    'Only packets of these ports and remotes, separated by commas.',
  ).exactOptional(),
  snaplen: z
    .string()
    .regex(/^[0-9]{1,6}$/, { error: 'expected a number of bytes' })
    .transform(Number)
    .refine((bytes) => bytes >= 1 && bytes <= 262_144, { error: 'expected a number of bytes from 1 to 262144' })
    .meta({ description: 'Most bytes of a packet.' })
    .exactOptional(),
  filter: said(z.string().max(4096), 'Only frames that fit, as in `port tap1 vlan 10`.').exactOptional(),
});

export type CaptureQuery = z.output<typeof CAPTURE_QUERY>;
