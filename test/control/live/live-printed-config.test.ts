/** `config show` of a running switch: a file with the result of all its changes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatConfig } from '../../../src/cli/format/config.js';
import { readDocumentValue } from '../../../src/config/load.js';
import { long } from '../../long.js';
import { sequence, textOf } from './live-changes.js';
import { type Raw, readConfig } from './live-config.js';
import { faultOf } from './live-rules.js';
import { LiveSwitch } from './live-switch.js';
import { commandsOf, stated, travel, withSwitches } from './reach-state.js';

const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_128);
const RUNS = Number(process.env.OVERTAP_APPLIES ?? long(200));

const way = sequence
  .filter((one) => faultOf(readConfig(one.document)) === null)
  .map((one) => ({ ...one, [fc.toStringMethod]: () => textOf(one) }));

/**
 * Without what a file cannot say: entries that have moved to the host's own port by themselves, and those that lie idle since
 * VLAN filtering was switched on or off.
 */
function sayable({ links, fdb, ...rest }: Record<string, string[]>): Record<string, string[]> {
  const filtering = new Map(
    links.map((link): [string, boolean] => {
      const { ifname, vlan_filtering } = JSON.parse(link) as Raw;
      return [String(ifname), vlan_filtering === true];
    }),
  );
  const isSayable = (text: string): boolean => {
    const { ifname, mac, vlan, master } = JSON.parse(text) as Raw;
    const isHost = filtering.has(String(ifname)) && /^br|@host$/.test(String(ifname));
    const isList = /^(00:00|01:00)/.test(String(mac));
    return !isHost && (isList || (vlan !== undefined) === filtering.get(String(master)));
  };
  return { links, fdb: fdb.filter(isSayable), ...rest };
}

describe('the configuration that a switch prints', () => {
  it(
    'reads back as it was, is what the switch runs by, and makes another like it',
    () =>
      fc.assert(
        fc.asyncProperty(way, (one) =>
          withSwitches(async (made) => {
            const { live } = await travel(one);
            made.push(live);
            const document = await live.controls.stated();
            const text = formatConfig(document);
            const read = readDocumentValue(text, 'shown') as Raw;
            expect(JSON.parse(JSON.stringify(read)), text).toEqual(JSON.parse(JSON.stringify(document)));
            expect(await commandsOf(live, read, true), text).toEqual([]);
            const twin = await LiveSwitch.start(read, { workers: one.workers });
            made.push(twin);
            expect(sayable(stated(twin)), text).toEqual(sayable(stated(live)));
          }),
        ),
        { numRuns: RUNS, seed: SEED },
      ),
    30_000 + RUNS * 200,
  );
});
