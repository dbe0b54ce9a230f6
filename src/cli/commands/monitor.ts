/**
 * `overtap monitor`: prints the events of a switch, one line each, until it is interrupted or the switch ends.
 */
import type { SwitchEvent } from '../../api/api.js';
import { nearest } from '../../values/did-you-mean.js';
import type { Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { formatEvent } from '../format/event.js';

type Kind = SwitchEvent['event'];

/** The kinds of events that each word selects. Each kind is also a word; `lost` is always included. */
const GROUPS: Readonly<Record<string, readonly Kind[]>> = {
  fdb: ['learned', 'moved', 'aged', 'added', 'changed', 'deleted', 'mac_moves'],
  link: ['link'],
  loop: ['loop'],
  stp: ['stp'],
  mdb: ['mdb'],
  evpn: ['evpn'],
  miss: ['l2miss', 'l3miss'],
  neigh: ['neigh_conflict'],
  vtep: ['vtep_unknown'],
  peers: ['peers'],
  remote: ['remote', 'path_mtu'],
};
const KINDS: readonly Kind[] = [...Object.values(GROUPS).flat(), 'lost'];
export const WORDS: readonly string[] = [...new Set([...Object.keys(GROUPS), ...KINDS, 'all'])];

export async function run({ context, words, options, help }: Invocation): Promise<number> {
  if (words[0] === 'help') {
    context.print(await help());
    return 0;
  }
  const kinds = kindsOf(words);
  const stamped = options.timestamp !== undefined;
  const client = await context.client();
  const signal = context.io.interrupted?.() ?? new AbortController().signal;
  // Without `kinds` the switch also sends kinds that this version does not know.
  for await (const event of client.events(signal, kinds === undefined ? {} : { kinds })) {
    const timestamp = stamped ? new Date().toISOString() : undefined;
    if (context.json) context.printJson(timestamp === undefined ? event : { timestamp, ...event });
    else context.line(timestamp === undefined ? formatEvent(event) : `[${timestamp}] ${formatEvent(event)}`);
  }
  // The stream ends only by an interrupt; the end of the switch is an error of the stream.
  return 0;
}

/** The selected kinds; undefined: all. @throws UsageError for an unknown word */
function kindsOf(words: readonly string[]): Kind[] | undefined {
  const kinds = new Set<Kind>();
  for (const word of words) {
    if (!WORDS.includes(word)) {
      const near = nearest(word, WORDS);
      const hint = near === undefined ? `it takes ${WORDS.join(', ')}` : `did you mean "${near}"?`;
      throw new UsageError(`"monitor" does not know "${word}"; ${hint}`);
    }
    for (const kind of GROUPS[word] ?? KINDS.filter((known) => known === word)) kinds.add(kind);
  }
  return words.length === 0 || words.includes('all') ? undefined : [...kinds];
}
