/**
 * One step for each fact that the bridge met: learning, look-ups, ARP and ND, limits. The sentences say what the data path has found,
 * they decide nothing.
 */
import type { TraceStep } from '../../api/api.js';
import { DROP_REASONS } from '../../dataplane/state/drop-reasons.js';
import { fidParts } from '../../dataplane/state/fid.js';
import {
  PUNT_IGMP,
  PUNT_L2MISS,
  PUNT_L3MISS,
  PUNT_MLD,
  PUNT_NEIGH_CONFLICT,
  PUNT_OWN_TUNNEL,
  PUNT_BPDU,
  PUNT_MRD,
  PUNT_PIM,
  PUNT_PROBE,
} from '../../dataplane/state/punt-ring.js';
import { POLICE_IN } from '../../dataplane/state/policers.js';
import { STORM_BROADCAST, STORM_MULTICAST } from '../../dataplane/state/storm.js';
import {
  FLAG_LOCKED,
  type FdbRow,
  FULL,
  LEARNED,
  MOVED,
  REFRESHED,
  STATIC_OTHER,
  STATIC_SAME,
} from '../../fdb/table.js';
import { HEARD_CHANGED, HEARD_DISPUTE, HEARD_FULL, HEARD_KEPT, HEARD_NEW, HEARD_SAME } from '../../neigh/table.js';
import { formatMac } from '../../wire/ethernet.js';
import { formatAddress } from '../../wire/ip-address.js';
import { whyDropped } from '../../text/drop-sentences.js';
import type { Fact } from '../shadow/facts.js';
import type { Site } from './site.js';

const LEARN_CODES: Readonly<Record<number, string>> = {
  [REFRESHED]: 'refreshed',
  [LEARNED]: 'learned',
  [MOVED]: 'moved',
  [STATIC_OTHER]: 'stays',
  [STATIC_SAME]: 'static',
  [FULL]: 'full',
};

const HEARD: Readonly<Record<number, [code: string, text: string]>> = {
  [HEARD_SAME]: ['known', 'as it was known'],
  [HEARD_NEW]: ['learned', 'which is learned'],
  [HEARD_CHANGED]: ['changed', 'and its binding changes'],
  [HEARD_KEPT]: ['kept', 'but its binding is kept'],
  [HEARD_DISPUTE]: ['disputed', 'but others claim it too, so its binding is kept'],
  [HEARD_FULL]: ['full', 'but the table is full'],
};

const PUNTS: Readonly<Record<number, [code: string, text: string]>> = {
  [PUNT_IGMP]: ['igmp', 'The frame is an IGMP message: snooping hears it.'],
  [PUNT_MLD]: ['mld', 'The frame is an MLD message: snooping hears it.'],
  [PUNT_PIM]: ['pim', 'The frame is a PIM hello: snooping notes a multicast router.'],
  [PUNT_MRD]: ['mrd', 'The frame is an advertisement of a multicast router: snooping notes the router.'],
  [PUNT_PROBE]: ['loop_probe', 'The frame is a probe of loop guard that has come back: a loop is there.'],
  [PUNT_BPDU]: ['bpdu', 'The frame is for the spanning tree.'],
  [PUNT_L2MISS]: ['l2miss', 'An l2miss event is reported: the FDB does not know the destination.'],
  [PUNT_L3MISS]: ['l3miss', 'An l3miss event is reported: no MAC is known for the address.'],
  [PUNT_NEIGH_CONFLICT]: ['conflict', 'An event reports that several MACs claim the address.'],
  [PUNT_OWN_TUNNEL]: ['own_tunnel', "It is reported that the switch's own tunnel came in by a port."],
};

type Of<K extends Fact['fact']> = Extract<Fact, { fact: K }>;

/** @returns null where a fact is told with the step of another one */
export function factStep(fact: Fact, site: Site): TraceStep | null {
  switch (fact.fact) {
    case 'learned':
      return learnStep(fact, site);
    case 'entry':
      return entryStep(fact, site);
    case 'binding':
      return bindingStep(fact, site);
    case 'heard':
      return heardStep(fact, site);
    case 'router': {
      const mac = formatMac(fact.high, fact.low);
      return { stage: 'neigh', code: 'router', text: `${mac} is known to be a router (rsc).` };
    }
    case 'storm':
      return stormStep(fact, site);
    case 'police':
      return policeStep(fact, site);
    case 'budget':
      return { stage: 'limit', code: DROP_REASONS[fact.reason], text: 'The source has had its share of floods.' };
    case 'punt': {
      const [code, text] = PUNTS[fact.kind] ?? ['punt', 'The control thread hears of the frame.'];
      return { stage: 'report', code, text };
    }
    case 'dropped':
      return fact.where === 'in' ? droppedStep(fact, site) : null;
    case 'remote':
    case 'admitted':
      return null;
  }
}

function inVlan(fid: number): string {
  const vid = fidParts(fid)?.vid ?? 0;
  return vid === 0 ? '' : ` in VLAN ${vid}`;
}

const LOCKED_ENTRY = ', as a locked entry that waits for its authentication (mab)';

/** Whether an entry waits for its authentication. */
function waits(entry: FdbRow | null): boolean {
  return entry !== null && (entry.flags & FLAG_LOCKED) !== 0;
}

function learnStep({ high, low, fid, destination, before, outcome, isLocked }: Of<'learned'>, site: Site): TraceStep {
  const mac = formatMac(high, low);
  const vlan = inVlan(fid);
  const here = site.place(destination);
  const there = before === null ? '' : site.place(before.destination);
  const texts: Readonly<Record<number, string>> = {
    [LEARNED]: `${mac} was unknown${vlan}: it is learned behind ${here}${isLocked ? LOCKED_ENTRY : ''}.`,
    [REFRESHED]: `${mac} is known${vlan} behind ${here}${waits(before) ? LOCKED_ENTRY : ''}: its age is 0 again.`,
    [STATIC_SAME]: `${mac} is configured${vlan} behind ${here}.`,
    [MOVED]: `${mac} has moved${vlan}: it was behind ${there}, and is behind ${here} now.`,
    [STATIC_OTHER]: `${mac} is configured${vlan} behind ${there}, and stays there.`,
    [FULL]: `${mac} is not learned${vlan}: a limit is reached, or the table is full.`,
  };
  const code = LEARN_CODES[outcome] ?? 'learned';
  return {
    stage: 'learn',
    code,
    text: texts[outcome] ?? texts[LEARNED],
    ...(before === null ? {} : { entry: site.fdb(before) }),
  };
}

function entryStep({ high, low, fid, entry }: Of<'entry'>, site: Site): TraceStep | null {
  // A pinned multicast MAC is asked for at every tunnel port.
  if (fidParts(fid) === null) return null;
  const mac = formatMac(high, low);
  if (entry === null) return { stage: 'lookup', code: 'unknown', text: `The FDB does not know ${mac}${inVlan(fid)}.` };
  const text = `The FDB has ${mac}${inVlan(fid)} behind ${site.place(entry.destination)}.`;
  return { stage: 'lookup', code: 'known', text, entry: site.fdb(entry) };
}

function bindingStep({ address, binding }: Of<'binding'>, site: Site): TraceStep {
  const text = formatAddress(...address);
  if (binding === null) return { stage: 'neigh', code: 'unknown', text: `No MAC is known for ${text}.` };
  const mac = formatMac(binding.high, binding.low);
  return { stage: 'neigh', code: 'known', text: `${text} is known to be at ${mac}.`, entry: site.neigh(binding) };
}

function heardStep({ address, high, low, outcome }: Of<'heard'>, _site: Site): TraceStep {
  const [code, words] = HEARD[outcome] ?? ['heard', 'which is noted'];
  const text = `The frame says that ${formatAddress(...address)} is at ${formatMac(high, low)}, ${words}.`;
  return { stage: 'neigh', code, text };
}

function stormStep({ port, kind, packets, passed }: Of<'storm'>, site: Site): TraceStep {
  const what = kind === STORM_BROADCAST ? 'broadcast' : kind === STORM_MULTICAST ? 'multicast' : 'unknown unicast';
  const result = passed ? `takes ${packets} of it` : 'has nothing left';
  const text = `${site.name(port)} has a storm limit for ${what}: the frame ${passed ? result : 'finds it used up'}.`;
  return { stage: 'limit', code: passed ? 'storm_passed' : 'storm_limited', text };
}

function policeStep({ port, direction, bytes, packets, passed }: Of<'police'>, site: Site): TraceStep {
  const option = direction === POLICE_IN ? 'police_in' : 'police_out';
  const cost = `${bytes} bytes${packets === 1 ? '' : ` in ${packets} packets`}`;
  const text = `${site.name(port)} has ${option}: the frame, ${cost}, ${passed ? 'passes' : 'finds it used up'}.`;
  return { stage: 'limit', code: passed ? 'police_passed' : 'policed', text };
}

function droppedStep({ port, reason }: Of<'dropped'>, site: Site): TraceStep {
  const code = DROP_REASONS[reason];
  return { stage: 'drop', code, text: `Dropped at ${site.name(port)}: ${whyDropped(code)}` };
}
