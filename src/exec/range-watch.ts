/**
 * Changes of VLANs and of VNIs, for `bridge monitor vlan` and `bridge monitor vni`: an event says which link has changed, and what has
 * changed of it is the difference from what it had before.
 */
import type { SwitchEvent, VlansAnswer } from '../api/api.js';
import { writeMessage } from '../netlink/message.js';
import { RTM } from '../netlink/rtnetlink.js';
import { vlanEntry, writeVlans } from '../netlink/vlan-db.js';
import { writeVnis } from '../netlink/vni.js';
import type { View } from './view.js';
import { factsOf as vlanFacts } from './vlan-listing.js';
import { factsOf as vniFacts } from './vnis.js';

/** Entries of one message. */
const MOST_ENTRIES = 256;
const HEAD = { flags: 0, seq: 0, pid: 0 };

/** Numbers with the same properties. */
interface Run<Facts> {
  readonly first: number;
  readonly last: number;
  readonly facts: Facts;
}

/** What is watched. */
interface Watched<Facts> {
  runsOf(vlans: VlansAnswer, ifname: string): Run<Facts>[];
  /** One message. */
  message(index: number, runs: readonly Run<Facts>[], isGone: boolean): Buffer;
}

/** What a link had: properties by number, as text, and the link's index. */
interface Known<Facts> {
  readonly index: number;
  readonly facts: Map<number, { readonly facts: Facts; readonly text: string }>;
}

export interface RangeWatch {
  /** Takes down what is there. */
  begin(view: View): Promise<void>;
  /** What the event's link has, and had, otherwise than before. */
  messagesOf(view: View, event: SwitchEvent): Promise<Buffer[]>;
}

function watchOf<Facts>(watched: Watched<Facts>): RangeWatch {
  const known = new Map<string, Known<Facts>>();
  return {
    async begin(view) {
      const vlans = await view.client.get('/v1/vlans');
      for (const row of await view.links()) {
        known.set(row.ifname, { index: await view.indexOf(row), facts: expand(watched.runsOf(vlans, row.ifname)) });
      }
    },
    async messagesOf(view, event) {
      if (event.event !== 'link') return [];
      const row = (await view.links()).find(({ ifname }) => ifname === event.ifname);
      const old = known.get(event.ifname);
      const index = row === undefined ? old?.index : await view.indexOf(row);
      if (index === undefined) return [];
      const runs = row === undefined ? [] : watched.runsOf(await view.client.get('/v1/vlans'), event.ifname);
      const now: Known<Facts> = { index, facts: expand(runs) };
      if (row === undefined) known.delete(event.ifname);
      else known.set(event.ifname, now);
      return [
        ...inPieces(missing(old, now)).map((piece) => watched.message(index, piece, true)),
        ...inPieces(missing(now, old, true)).map((piece) => watched.message(index, piece, false)),
      ];
    },
  };
}

function expand<Facts>(runs: readonly Run<Facts>[]): Known<Facts>['facts'] {
  const out: Known<Facts>['facts'] = new Map();
  for (const { first, last, facts } of runs) {
    const text = JSON.stringify(facts);
    for (let at = first; at <= last; at++) out.set(at, { facts, text });
  }
  return out;
}

/** Numbers of `these` that `those` lack, or have otherwise, as runs. @param orOther also those that differ */
function missing<Facts>(
  these: Known<Facts> | undefined,
  those: Known<Facts> | undefined,
  orOther = false,
): Run<Facts>[] {
  const out: Run<Facts>[] = [];
  let text = '';
  for (const [at, one] of [...(these?.facts ?? [])].sort(([a], [b]) => a - b)) {
    const other = those?.facts.get(at);
    if (other !== undefined && !(orOther && other.text !== one.text)) continue;
    const before = out.at(-1);
    if (before !== undefined && before.last === at - 1 && text === one.text)
      out[out.length - 1] = { ...before, last: at };
    else out.push({ first: at, last: at, facts: one.facts });
    text = one.text;
  }
  return out;
}

function inPieces<T>(all: readonly T[]): T[][] {
  const out: T[][] = [];
  for (let from = 0; from < all.length; from += MOST_ENTRIES) out.push(all.slice(from, from + MOST_ENTRIES));
  return out;
}

const endOf = ({ first, last }: Run<unknown>): number | undefined => (last === first ? undefined : last);

export const vlanWatch = (): RangeWatch =>
  watchOf({
    runsOf: ({ vlans }, name) =>
      (vlans.find(({ ifname }) => ifname === name)?.vlans ?? []).map((range) => ({
        first: range.vlan,
        last: range.vlanEnd ?? range.vlan,
        // The number of groups changes by itself, which the kernel does not tell either.
        facts: { ...vlanFacts(range), vid: 0, vidEnd: undefined, mcastGroups: undefined },
      })),
    message: (index, runs, isGone) =>
      writeMessage({
        ...HEAD,
        type: isGone ? RTM.DELVLAN : RTM.NEWVLAN,
        payload: writeVlans(
          index,
          runs.map((run) => vlanEntry({ ...run.facts, vid: run.first, vidEnd: endOf(run) })),
        ),
      }),
  });

export const vniWatch = (): RangeWatch =>
  watchOf({
    runsOf: ({ vnis }, name) =>
      (vnis?.find(({ ifname }) => ifname === name)?.vnis ?? []).map((range) => ({
        first: range.vni,
        last: range.vniEnd ?? range.vni,
        facts: { address: vniFacts(range, undefined)[0]?.address },
      })),
    message: (index, runs, isGone) =>
      writeMessage({
        ...HEAD,
        type: isGone ? RTM.DELTUNNEL : RTM.NEWTUNNEL,
        payload: writeVnis(
          index,
          runs.map((run) => ({ ...run.facts, vni: run.first, vniEnd: endOf(run) })),
        ),
      }),
  });
