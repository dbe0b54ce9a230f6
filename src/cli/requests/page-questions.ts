/** What the live page asks: traces, and in a lab frames that are sent. Reads the browser's requests, which may say anything. */
import type { TraceRequest } from '../../api/api.js';
import type { SwitchClient } from '../../client/client.js';
import { PageRefusal, type Questions } from '../../page/page.js';
import { followTrace } from '../trace-path.js';

export type SendInto = (
  at: { readonly switch: string; readonly port: string },
  frame: Uint8Array,
  times: number,
) => Promise<void>;

const MAX_TIMES = 1000;
/** Characters of a frame in hexadecimal: a superframe. */
const MAX_HEX = 2 * 65_550;
const MIN_FRAME = 14;

/** @param send undefined: this is no lab */
export function pageQuestions(
  switches: readonly { readonly name: string; readonly client: SwitchClient }[],
  send: SendInto | undefined,
): Questions {
  const known = (asked: Asked): SwitchClient => {
    const found = switches.find(({ name }) => name === asked.text('switch'));
    if (found === undefined) throw new PageRefusal(404, 'the page does not show this switch');
    return found.client;
  };
  return {
    '/trace': async (body) => {
      const asked = new Asked(body);
      const client = known(asked);
      const peers = switches.filter((one) => one.client !== client);
      return refusing(followTrace(traceRequest(asked), client, peers));
    },
    '/send': async (body) => {
      const asked = new Asked(body);
      const client = known(asked);
      if (send === undefined) throw new PageRefusal(403, 'frames can be sent into the ports of a lab only');
      const times = asked.count('count', MAX_TIMES);
      const request = traceRequest(asked);
      // The switch makes the bytes of a description, with the MACs that it knows.
      const hex = request.frame ?? (await refusing(client.post('/v1/trace', request))).frame;
      const frame = Buffer.from(hex, 'hex');
      if (frame.length < MIN_FRAME) throw new PageRefusal(400, `a frame has at least ${MIN_FRAME} bytes`);
      await refusing(send({ switch: asked.text('switch'), port: request.port }, frame, times));
      return { sent: times, bytes: frame.length };
    },
  };
}

/** The body of a request, read field by field. */
class Asked {
  private readonly fields: Readonly<Record<string, unknown>>;

  constructor(body: unknown) {
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      throw new PageRefusal(400, 'the body must be an object');
    this.fields = body as Readonly<Record<string, unknown>>;
  }

  text(key: string): string {
    const value = Object.hasOwn(this.fields, key) ? this.fields[key] : undefined;
    if (typeof value !== 'string') throw new PageRefusal(400, `${key} must be a text`);
    return value;
  }

  optional(key: string): unknown {
    return Object.hasOwn(this.fields, key) ? this.fields[key] : undefined;
  }

  count(key: string, most: number): number {
    const value = Object.hasOwn(this.fields, key) ? this.fields[key] : 1;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw new PageRefusal(400, `${key} must be a number from 1 to ${most}`);
  }
}

/** A frame in hexadecimal, else a description; behind a tunnel with its sender. */
function traceRequest(asked: Asked): TraceRequest {
  const text = asked.text('frame').trim();
  const hex = text.replace(/[\s:]/g, '');
  const isHex = /^([0-9a-f]{2}){14,}$/i.test(hex);
  const length = asked.optional('length');
  const from = asked.optional('remote');
  const vni = asked.optional('vni');
  return {
    port: asked.text('port'),
    ...(isHex ? { frame: filled(hex, length) } : { description: text }),
    ...(typeof from === 'string' ? { from } : {}),
    ...(typeof vni === 'number' ? { vni } : {}),
  };
}

/** Of a longer frame the beginning was kept: zeros stand for the rest, so that its length counts. */
function filled(hex: string, length: unknown): string {
  const missing = typeof length === 'number' ? Math.min(length * 2, MAX_HEX) - hex.length : 0;
  return missing > 0 ? hex + '0'.repeat(missing) : hex;
}

/** The reasons of switch and lab are for whoever asks. */
async function refusing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new PageRefusal(409, error instanceof Error ? error.message : String(error));
  }
}
