/**
 * Limits and numbers of the multicast database, whatever is reported, put in, taken out and forgotten: `mcast_n_groups` is what the
 * listing has, nothing is above its limit that was not so before, and a VLAN that does not snoop restricts nothing. The model is the listing.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bridgeOptions } from '../../../src/config/options/bridge.js';
import { defaultsOf } from '../../../src/config/options/option.js';
import type { MdbRow } from '../../../src/api/api.js';
import { Mdb } from '../../../src/control/tables/mdb.js';
import { snoopSettings } from '../../../src/control/tables/mdb-settings.js';
import type { GroupAddress } from '../../../src/wire/group-message.js';
import { parseAddress } from '../../../src/wire/ip-address.js';
import { long } from '../../long.js';

/** The same cases each time; others with OVERTAP_SEED. */
const SEED = Number(process.env.OVERTAP_SEED ?? 20_261_130);
const words = (text: string): GroupAddress => parseAddress(text)?.words as GroupAddress;
const SETTINGS = snoopSettings({ ...defaultsOf(bridgeOptions), mcast_igmp_version: 3, mcast_querier: true });
const IDENTITY = { mac: '02:00:00:00:00:99', addresses: { 4: words('0.0.0.0'), 6: words('fe80::99') } };

const port = fc.constantFrom(1, 2);
const vid = fc.constantFrom(10, 20);
const group = fc.constantFrom('239.1.1.1', '239.1.1.2', '239.1.1.3');
const sources = fc.uniqueArray(fc.constantFrom('192.0.2.1', '192.0.2.2', '192.0.2.3'), { maxLength: 3 });
const STEP = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('report' as const),
      port,
      vid,
      group,
      type: fc.integer({ min: 1, max: 6 }),
      sources,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('add' as const),
      port,
      vid,
      group,
      sources,
      isPair: fc.boolean(),
      isTemp: fc.boolean(),
      replaces: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('remove' as const), port, vid, group, sources }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('limit' as const),
      port,
      all: fc.constantFrom(0, 2, 5),
      ofVlan: fc.constantFrom(0, 1, 3),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('snoop' as const),
      vid,
      on: fc.boolean(),
      max: fc.constantFrom(1, 2, 4096),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('down' as const, 'gone' as const), port }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('wait' as const), ms: fc.constantFrom(2000, 261_000) }) },
);
type Step = typeof STEP extends fc.Arbitrary<infer T> ? T : never;

class Net {
  now = 1_000_000;
  readonly limits = new Map([1, 2].map((one) => [one, { all: 0, ofVlan: 0 }]));
  readonly off = new Set<number>();
  max = 4096;
  readonly mdb = new Mdb({ bridge: () => 'br0', port: (one) => `t${one}`, remote: () => '' });
  /** What engines hold of each VLAN: groups, and whether it is known that somebody queries. */
  readonly told = new Map<number, Set<string>>();

  constructor() {
    this.setBridge();
    for (const one of [1, 2]) this.setPort(one);
  }

  setBridge(): void {
    const ofVlans = new Map([10, 20].map((one) => [one, { ...SETTINGS, snooping: !this.off.has(one) }]));
    const vids = new Set([10, 20]);
    this.mdb.setBridge(1, { settings: SETTINGS, ofVlans, identity: IDENTITY, vids, maxGroups: this.max }, this.now);
  }

  setPort(one: number): void {
    const { all, ofVlan } = this.limits.get(one) ?? { all: 0, ofVlan: 0 };
    this.mdb.setPort(one, { bridge: 1, router: 1, fastLeave: false, limits: { all, vlans: new Map([[10, ofVlan]]) } });
  }

  take(step: Step): void {
    const { mdb, now } = this;
    switch (step.op) {
      case 'report': {
        const record = { type: step.type, group: words(step.group), sources: step.sources.map(words) };
        const place = { port: step.port, remote: 0, vid: step.vid };
        mdb.hear({ kind: 'report', family: 4, records: [record] }, place, now);
        break;
      }
      case 'add': {
        const [source] = step.sources.map(words);
        const common = { isTemp: step.isTemp, replaces: step.replaces };
        const isPair = step.isPair && source !== undefined;
        const entry = isPair ? { source } : { sources: step.sources.map(words), isInclude: step.sources.length > 0 };
        mdb.add(1, [step.vid], words(step.group), step.port, { ...common, ...entry }, now);
        break;
      }
      case 'remove': {
        const [source] = step.sources.map(words);
        mdb.remove(1, [step.vid], words(step.group), step.port, source);
        break;
      }
      case 'limit':
        this.limits.set(step.port, { all: step.all, ofVlan: step.ofVlan });
        this.setPort(step.port);
        break;
      case 'snoop':
        if (step.on) this.off.delete(step.vid);
        else this.off.add(step.vid);
        this.max = step.max;
        this.setBridge();
        break;
      case 'down':
        mdb.forgetLearned(step.port);
        break;
      case 'gone':
        mdb.forgetPort(step.port);
        this.setPort(step.port);
        break;
      default:
        this.now += step.ms;
    }
    mdb.tick(this.now);
    this.hear();
  }

  private hear(): void {
    for (const operation of this.mdb.take().operations) {
      if (operation.op !== 'group' && operation.op !== 'group-del' && operation.op !== 'routers') continue;
      const known = this.told.get(operation.vid) ?? new Set();
      this.told.set(operation.vid, known);
      const key = operation.op === 'routers' ? 'querier' : operation.address.join();
      const isThere = operation.op === 'group' || (operation.op === 'routers' && operation.querier4);
      if (isThere) known.add(key);
      else known.delete(key);
    }
  }

  /** Entries of a port's own in the listing, in a VLAN. */
  own(one: number, inVlan: number): MdbRow[] {
    return this.mdb.rows(this.now).mdb.filter((row) => {
      return row.port === `t${one}` && row.vid === inVlan && !row.flags.includes('added_by_star_ex');
    });
  }
}

it('numbers are those of the listing, limits hold, and a VLAN that does not snoop is flooded', () => {
  fc.assert(
    fc.property(fc.array(STEP, { minLength: 1, maxLength: 40 }), (steps) => {
      const net = new Net();
      for (const step of steps) {
        const before = new Map([1, 2].map((one) => [one, [net.mdb.entriesOf(one), net.mdb.entriesOf(one, 10)]]));
        net.take(step);
        for (const one of [1, 2]) {
          const [v10, v20] = [net.own(one, 10).length, net.own(one, 20).length];
          const counts = [net.mdb.entriesOf(one), net.mdb.entriesOf(one, 10), net.mdb.entriesOf(one, 20)];
          expect(counts, JSON.stringify(step)).toEqual([v10 + v20, v10, v20]);
          const { all, ofVlan } = net.limits.get(one) ?? { all: 0, ofVlan: 0 };
          const [wasAll, was10] = before.get(one) as number[];
          if (all !== 0) expect(v10 + v20).toBeLessThanOrEqual(Math.max(all, wasAll));
          if (ofVlan !== 0) expect(v10).toBeLessThanOrEqual(Math.max(ofVlan, was10));
        }
        for (const one of net.off) {
          expect([...(net.told.get(one) ?? [])]).toEqual([]);
          expect(net.mdb.rows(net.now).mdb.filter((row) => row.vid === one && row.protocol === 'kernel')).toEqual([]);
        }
      }
    }),
    { seed: SEED, numRuns: long(3000, 300) },
  );
});
