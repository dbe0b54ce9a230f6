/**
 * The longer help of `link`. The words of options are generated from their table (`config/options`). Loaded only to be shown: the
 * table's schemas would be a third of the CPU time of every command.
 */
import { LINK_TYPES, PORT_KINDS, PORT_TYPES } from '../config/options/kinds.js';
import type { OptionScope } from '../config/options/table.js';
import { usageWords } from '../config/options/words.js';

const WIDTH = 100;

export const LINK_HELP = `
  link show [[dev] LINK] [master BR | nomaster] [type TYPE] [up]
  link add [name] NAME [GENERIC] [master BR] type ${LINK_TYPES.join('|')} [OPTIONS]
  link set [dev] NAME [GENERIC] [master BR | nomaster] [type TYPE OPTIONS]
  link del [dev] NAME

The grammar of "ip link". Two lines per link: MTU, bridge and state, then its MAC address and its options, in the
words of "link set"; with -d all options, including defaults. A refused command changes nothing.

1, 0, true and false are also accepted for on and off. "default OPTION" resets an option to its default. Times are
in seconds.

GENERIC, before or after the type:
${options('link')}
type bridge:
${options('bridge', 'link')}
type bridge_slave, or any of these after the port's own type:
${options('bridge_slave')}
  storm_limit is in packets per second; a superframe counts as its segments. For kinds of frames without a limit,
  copies are limited: 250,000 per second (250 broadcasts to 1,000 remotes), divided among the ports that exceed it, not
  counting the first four copies of each frame.
${PORT_TYPES.map((type) => `type ${type}:\n${options(type, 'link', 'bridge_slave')}`).join('\n')}

Examples:
  overtap link show vxlan0 --json
  overtap link add br0 type bridge vlan_filtering 1
${PORT_TYPES.map((type) => `  overtap ${PORT_KINDS[type].command}`).join('\n')}
  overtap link set tap1 type bridge_slave learning off storm_limit broadcast 100
  overtap link set tap1 nomaster
  overtap link del tap1`;

/** The options of a scope as indented lines, without the options of `others`. */
function options(scope: OptionScope, ...others: OptionScope[]): string {
  const elsewhere = others.flatMap((other) => usageWords(other));
  const words = usageWords(scope).filter((word) => !elsewhere.includes(word));
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines.join('\n');
}
