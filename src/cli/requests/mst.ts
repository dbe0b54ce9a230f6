/** The words of `bridge mst set` as a request. Pure. */
import type { MstRequest } from '../../api/api.js';
import { PORT_STATES } from '../../values/port-state.js';
import { UsageError } from '../errors.js';
import { type Grammars, integer, parseWords, required, type WordRule } from '../words.js';
import { portState } from './vlan.js';

/** VLAN_N_VID - 1, as the kernel. */
const LAST_INSTANCE = 4095;
const EXAMPLE = 'mst set dev PORT msti MSTI state STATE';

const PORT: WordRule = { word: 'dev', key: 'dev', value: 'PORT' };

/** The words of each subcommand. */
export const MST_GRAMMARS = {
  show: { command: 'mst show', rules: [PORT] },
  set: {
    command: 'mst set',
    rules: [
      PORT,
      { word: 'msti', key: 'msti', value: 'MSTI' },
      { word: 'state', key: 'state', value: PORT_STATES.join('|') },
    ],
  },
} as const satisfies Grammars;

/** @throws UsageError */
export function mstSetting(words: readonly string[]): MstRequest {
  const found = parseWords(MST_GRAMMARS.set, words);
  const dev = required(MST_GRAMMARS.set, found, 'dev', 'a port', EXAMPLE);
  required(MST_GRAMMARS.set, found, 'msti', 'an instance', EXAMPLE);
  const state = portState(required(MST_GRAMMARS.set, found, 'state', 'a state', EXAMPLE));
  const msti = integer(found, 'msti', 0, LAST_INSTANCE);
  if (msti === undefined) throw new UsageError(`"mst set" needs an instance: ${EXAMPLE}`);
  return { op: 'mst', dev, msti, state };
}
