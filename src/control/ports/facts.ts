/** Reading what another process says of a device that it gives away. */
import type { z } from 'zod';
import type { Bequest } from '../model/bequest.js';
import { DeviceError } from '../model/device-error.js';

/** @throws DeviceError when the facts do not have the shape that this version knows */
export function readFacts<T>(port: string, schema: z.ZodType<T>, { facts }: Bequest): T {
  const read = schema.safeParse(facts);
  if (read.success) return read.data;
  throw new DeviceError(`${port}: the other process describes its device in a way that this version does not know`);
}
