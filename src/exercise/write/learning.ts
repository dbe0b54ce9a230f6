/** The stage "learning": where a frame goes, by what the switch has learned. Frames come in a row, with time between them. */
import { MemorySwitch } from '../../control/memory/memory-switch.js';
import { toHex } from '../../wire/bytes.js';
import type { Chance } from '../chance.js';
import { bytesOf } from '../predict/cases.js';
import type { Call, StageJudge } from './stage-judge.js';

const PORTS = ['p1', 'p2', 'p3', 'p4'];
const VLANS = [10, 20];
const MACS = ['02:00:00:00:00:0a', '02:00:00:00:00:0b', '02:00:00:00:00:0c', '02:00:00:00:00:0d'];
const GROUPS = ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:05', '33:33:00:00:00:01'];
const FOR_ONE_LINK = ['01:80:c2:00:00:00', '01:80:c2:00:00:0e'];
/** Seconds. Gaps keep clear of it: a switch looks for old entries now and then, not at each moment. */
const AGEING = 100;
const GAPS = [0, 1, 10, 40, 400];
const CALLS = 24;

const DOCUMENT = {
  bridges: {
    br0: {
      vlan_filtering: true,
      ageing_time: AGEING,
      mcast_snooping: false,
      mac_move_limit: 0,
      ports: Object.fromEntries(PORTS.map((name) => [name, { type: 'tap', vlans: VLANS.map((vid) => ({ vid })) }])),
    },
  },
};

export const learning: StageJudge = {
  entry: 'decide',
  fresh: true,
  cases: 40,
  returns: `the name of a port, 'flood' or 'drop'`,
  read: (result) => (typeof result === 'string' && [...PORTS, 'flood', 'drop'].includes(result) ? result : undefined),
  async calls(chance) {
    const sw = await MemorySwitch.start(DOCUMENT, { fdbSize: 1024 });
    try {
      const calls: Call[] = [];
      let now = 0;
      for (let at = 0; at < CALLS; at++) {
        const gap = chance.percent(75) ? 0 : chance.oneOf(GAPS);
        await sw.advance(gap * 1000);
        now += gap;
        calls.push(callOf(sw, chance, now));
        await sw.run();
      }
      return calls;
    } finally {
      sw.stop();
    }
  },
};

function callOf(sw: MemorySwitch, chance: Chance, now: number): Call {
  const port = chance.oneOf(PORTS);
  const vlan = chance.oneOf(VLANS);
  // A MAC has a home, and is at times elsewhere.
  const at = chance.below(MACS.length);
  const source = MACS[chance.percent(80) ? PORTS.indexOf(port) : at] as string;
  const destination = destinationOf(chance);
  const bytes = bytesOf(`src ${source} dst ${destination} vlan ${vlan} type 0x88b5`);
  const truth = sw.trace({ port, frame: toHex(bytes) });
  sw.put(port, bytes);
  const frame = { port, source, destination, vlan, now };
  const sent = { forwarded: truth.copies[0]?.port ?? '', flooded: 'flood', answered: '', held: '', dropped: 'drop' };
  return { args: [frame], expected: sent[truth.verdict], told: `decide(fdb, ${JSON.stringify(frame)})`, truth };
}

function destinationOf(chance: Chance): string {
  if (chance.percent(8)) return chance.oneOf(GROUPS);
  return chance.percent(5) ? chance.oneOf(FOR_ONE_LINK) : chance.oneOf(MACS);
}
