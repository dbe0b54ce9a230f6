/**
 * Leads a switch to a given state and reads its listings there, for tests of transitions from any state.
 */
import { ChangeRefused } from '../../../src/control/controls.js';
import { canonical } from './compare-model.js';
import { Prober } from './frame-prober.js';
import { aimed } from './likely-change.js';
import type { Sequence, Step } from './live-changes.js';
import type { Raw } from './live-config.js';
import type { Change, Model } from './live-model.js';
import { LiveSwitch } from './live-switch.js';
import { carryOut, startBoth } from './run-sequence.js';

export interface Start {
  live: LiveSwitch;
  model: Model;
  /** What was done to get there. */
  changes: Change[];
  prober: Prober;
}

/** Brings a switch and its model to the end of the way. */
export async function travel({ document: first, workers, steps, seed }: Sequence, probes = true): Promise<Start> {
  const pair = await startBoth(first, workers);
  if (pair === null) throw new Error('the first document is not taken');
  const { live, model } = pair;
  const prober = new Prober(seed);
  const changes: Change[] = [];
  for (const one of steps) {
    if (one.kind === 'change') await attempt(live, model, one, changes);
    if (probes) prober.probe(live, model);
  }
  return { live, model, changes, prober };
}

async function attempt(live: LiveSwitch, model: Model, one: Step & { kind: 'change' }, done: Change[]): Promise<void> {
  const change = aimed(one.change, one.aim, model);
  model.look();
  try {
    await carryOut(live, change);
  } catch (error) {
    if (error instanceof ChangeRefused) return;
    throw error;
  }
  model.change(change);
  done.push(change);
}

/** A switch that has gone the same way. */
export async function twin({ document: first, workers }: Sequence, changes: readonly Change[]): Promise<LiveSwitch> {
  const live = await LiveSwitch.start(first, { workers });
  for (const change of changes) await carryOut(live, change);
  return live;
}

/** What a switch answers, without what time and frames have done. */
export function stated(live: LiveSwitch, without: readonly string[] = []): Record<string, string[]> {
  const links = live.links().map(({ address, fdb_n_learned: _, ...row }) => {
    // Without one that is configured a NIC keeps the address that it has.
    const shown = 'mac' in row ? { ...row, address } : row;
    return canonical(Object.fromEntries(Object.entries(shown).filter(([key]) => !without.includes(key))));
  });
  const rows = live.fdb().filter(({ state, flags }) => state !== 'dynamic' || flags.includes('extern_learn'));
  const own = new Set(live.links().map(({ address }) => address));
  const fdb = rows.flatMap(({ updated: _, moves: _moves, ...row }) => (own.has(row.mac) ? [] : [canonical(row)]));
  const { vlans, tunnels } = live.vlans();
  return { links: links.sort(), vlans: [...vlans, ...tunnels].map(canonical).sort(), fdb: fdb.sort() };
}

export async function commandsOf(live: LiveSwitch, target: Raw, dryRun = false): Promise<string[]> {
  const { commands } = await live.controls.apply({ config: target, dry_run: dryRun });
  return commands;
}

export async function withSwitches(work: (made: LiveSwitch[]) => Promise<void>): Promise<void> {
  const made: LiveSwitch[] = [];
  try {
    await work(made);
  } finally {
    for (const live of made) live.stop();
  }
}
