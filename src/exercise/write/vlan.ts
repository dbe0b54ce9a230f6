/** The stage "VLAN ingress": in which VLAN a frame enters, from its bytes. */
import { MemorySwitch } from '../../control/memory/memory-switch.js';
import { toHex } from '../../wire/bytes.js';
import type { Chance } from '../chance.js';
import { bytesOf } from '../predict/cases.js';
import type { Call, StageJudge } from './stage-judge.js';

const REASONS = ['no_pvid', 'vlan_not_allowed', 'frame_too_short'];
const VIDS = [1, 2, 10, 20, 100, 4094];
const CALLS = 12;
/** Bytes of MACs and EtherType; a tag is four more. */
const UNTAGGED_LEAST = 14;
const TAGGED_LEAST = 18;

export const vlan: StageJudge = {
  entry: 'classify',
  fresh: false,
  cases: 40,
  returns: `a VLAN ID, 'no_pvid', 'vlan_not_allowed' or 'frame_too_short'`,
  read(result) {
    if (typeof result === 'number' && Number.isInteger(result)) return String(result);
    return typeof result === 'string' && REASONS.includes(result) ? result : undefined;
  },
  async calls(chance) {
    const pvid = chance.percent(70) ? chance.oneOf(VIDS) : null;
    const others = chance.shuffled(VIDS).slice(0, chance.below(3));
    const vlans = [...new Set([...(pvid === null ? [] : [pvid]), ...others])].sort((a, b) => a - b);
    const memberships = vlans.map((vid) => ({ vid, ...(vid === pvid ? { pvid: true } : {}) }));
    const ports = { p1: { type: 'tap', vlans: memberships }, p2: { type: 'tap', vlans: VIDS.map((vid) => ({ vid })) } };
    const sw = await MemorySwitch.start({ bridges: { br0: { vlan_filtering: true, ports } } }, { fdbSize: 1024 });
    try {
      return Array.from({ length: CALLS }, () => callOf(sw, chance, { pvid, vlans }));
    } finally {
      sw.stop();
    }
  },
};

function callOf(sw: MemorySwitch, chance: Chance, port: { pvid: number | null; vlans: readonly number[] }): Call {
  const bytes = frameOf(chance);
  const hex = toHex(bytes);
  const truth = sw.trace({ port: 'p1', frame: hex });
  const { reason } = truth;
  const isHere = reason !== undefined && REASONS.includes(reason);
  return {
    args: [port, { bytes: hex }],
    expected: isHere ? reason : String(truth.vlan),
    told: `classify(${JSON.stringify(port)}, the ${bytes.length} bytes ${hex})`,
    truth,
  };
}

function frameOf(chance: Chance): Uint8Array {
  const words = `src 02:00:00:00:00:0a dst broadcast ${tagWords(chance)}type 0x88b5 len ${chance.below(40)}`;
  const bytes = bytesOf(words);
  const isTagged = bytes[12] === 0x81;
  if (!chance.percent(10)) return bytes;
  return bytes.subarray(0, isTagged ? UNTAGGED_LEAST + chance.below(TAGGED_LEAST - UNTAGGED_LEAST) : UNTAGGED_LEAST);
}

function tagWords(chance: Chance): string {
  const vid = chance.percent(10) ? 4095 : chance.oneOf(VIDS);
  const prio = chance.percent(50) ? ` prio ${chance.below(8)}` : '';
  const which = chance.below(10);
  if (which < 3) return '';
  if (which < 4) return `qinq ${chance.oneOf(VIDS)} `;
  if (which < 6) return `vlan 0${prio} `;
  if (which < 7) return `vlan ${chance.oneOf(VIDS)}${prio} vlan ${chance.oneOf(VIDS)} `;
  return vid === 4095 ? `vlan ${chance.oneOf(VIDS)} prio 7 ` : `vlan ${vid}${prio} `;
}
