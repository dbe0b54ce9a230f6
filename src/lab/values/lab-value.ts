/** Zod schemas of single values in a lab file, beside those of a configuration file. They bound every length and number. */
import { z } from 'zod';
import { expected } from '../../values/value.js';

/** Characters of an interface name are 15, and the longest one that a lab makes from a host's name has three more. */
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,11}$/;
const LAB_NAME = /^[a-z][a-z0-9-]{0,31}$/;
const PREFIX = /^ovt-[a-z0-9-]{1,40}$/;
const IPV4 = z.ipv4({ error: expected('an IPv4 address') });

function matching(pattern: RegExp, what: string) {
  const error = expected(what);
  return z.string({ error }).regex(pattern, { error });
}

/** As a refinement, since a JSON Schema has no word for control characters. */
const isPlain = (text: string): boolean => !/\p{Cc}/u.test(text);

/** Text of at most this many characters, without control characters. */
function line(what: string, most: number) {
  const error = expected(`${what} of at most ${most} characters, on one line`);
  return z.string({ error }).max(most, { error }).refine(isPlain, { error });
}

function whole(what: string, min: number, max: number) {
  const error = expected(`${what} from ${min} to ${max}`);
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export const labValue = {
  labName: matching(LAB_NAME, 'a name of small letters, digits and dashes, at most 32'),
  prefix: matching(PREFIX, '"ovt-" and small letters, digits and dashes'),
  name: matching(NAME, 'a name of at most 12 letters, digits, - and _, with a letter first'),
  line,
  whole,
  ipv4: IPV4,
  /** Of a route. */
  destination: z.string({ error: expected("'default' or a subnet such as 10.0.1.0/24") }).refine(isDestination, {
    error: expected("'default' or a subnet such as 10.0.1.0/24"),
  }),
  drawing: z
    .string({ error: expected('text') })
    .max(4000, { error: 'a drawing has at most 4000 characters' })
    .refine((text) => isPlain(text.replaceAll('\n', '')), { error: 'a drawing has no control characters' }),
};

function isDestination(text: string): boolean {
  if (text === 'default') return true;
  const [address, length, ...rest] = text.split('/');
  return rest.length === 0 && IPV4.safeParse(address).success && /^([0-9]|[12][0-9]|3[0-2])$/.test(length ?? '');
}
