/**
 * `overtap trace`: asks the switch what it would do with a frame, and the switches of `--peer` for what follows. `../trace-path.ts`
 * goes from switch to switch.
 */
import type { TraceRequest } from '../../api/api.js';
import type { Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { formatTrace } from '../format/trace.js';
import { frameOf } from '../trace-frame.js';
import { followTrace, type Hop } from '../trace-path.js';
import { peersOf } from '../trace-peers.js';

export async function run({ context, words, options }: Invocation): Promise<number> {
  const [port, ...rest] = words;
  if (port === undefined || rest.length === 0)
    throw new UsageError(
      'trace needs a port and a frame, as in: overtap trace tap1 "arp who-has 10.0.0.2" (see "overtap help trace")',
    );
  const { from, vni, apply } = options;
  const request: TraceRequest = {
    port,
    ...(await frameOf(rest)),
    ...(from === undefined ? {} : { from }),
    ...(vni === undefined ? {} : { vni: numberOf(vni) }),
    ...(apply === undefined ? {} : { apply: true }),
  };
  const client = await context.client();
  const peers = await peersOf(options.peer, client);
  const trace: Hop = await followTrace(request, client, peers);
  if (context.json) context.printJson(trace);
  else context.print(formatTrace(trace));
  return 0;
}

function numberOf(text: string): number {
  if (!/^\d{1,8}$/.test(text)) throw new UsageError(`--vni: "${text}" is no VNI; give 1 to 16777215`);
  return Number(text);
}
