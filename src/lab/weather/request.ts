/** Reads a request to the weather process. Whoever may use its socket may be wrong: no value gets past its bounds. */
import { z } from 'zod';
import type { WeatherRequest } from './protocol.js';
import { FASTEST, LONGEST_US, type Weather } from './weather.js';

const share = z.number().min(0).max(1);
const time = z.int().min(0).max(LONGEST_US);

const WEATHER = z
  .strictObject({
    delay: time,
    jitter: time,
    loss: share,
    reorder: share,
    duplicate: share,
    corrupt: share,
    rate: z.number().min(0).max(FASTEST),
    limit: z.int().min(1).max(20_000),
    seed: z.int().min(0).max(0xffffffff),
  } satisfies Record<keyof Weather, z.ZodType>)
  .partial();

const REQUEST = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('show') }),
  z.strictObject({
    op: z.literal('set'),
    link: z.string().max(40),
    from: z.string().max(40).optional(),
    weather: WEATHER,
    clear: z.boolean(),
  }),
]);

/** @throws Error that says what is wrong */
export function readRequest(line: string): WeatherRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error('the request is no JSON');
  }
  const read = REQUEST.safeParse(value);
  if (read.success) return read.data as WeatherRequest;
  const [issue] = read.error.issues;
  throw new Error(`the request: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'it is wrong'}`);
}
