/**
 * Storm buckets and flood budgets cross from one process to the next, so that an upgrade is no fresh start for a guest that floods. Both
 * processes have one clock, by which buckets go on filling; a port or remote that is not there has full buckets.
 */
import { MAX_PORTS } from '../../dataplane/state/counters.js';
import { type FloodBudget, floodSource, SOURCES } from '../../dataplane/state/flood-budget.js';
import { KINDS } from '../../dataplane/state/storm.js';
import type { Legacy as Tables } from '../engines/engines.js';
import type { SwitchModel } from '../model/model.js';
import type { Limits } from './estate.js';
import type { Translation } from './restore.js';

type Limited = Pick<Tables, 'storm' | 'budgets'>;

/** In indexes of this process. */
export function limitsOf(model: SwitchModel, { storm, budgets }: Limited): Limits {
  const indexes = [...model.ports.values()].map(({ index }) => index);
  return {
    filled: storm.filledAt,
    storm: indexes.flatMap((port) =>
      Array.from({ length: KINDS }, (_, kind) => [port, kind, storm.level(port, kind)] as [number, number, number]),
    ),
    floods: budgets.map(owed),
  };
}

/** The sources whose buckets are not full. The switch stands still meanwhile, so nothing is made for the others. */
function owed(budget: FloodBudget): [number, number, number][] {
  const sources: [number, number, number][] = [];
  for (let source = 0; source < SOURCES; source++)
    if (!budget.isFull(source)) sources.push([source, budget.takenFrom(source), budget.filledOf(source)]);
  return sources;
}

/** The engines must stand still. With fewer engines than before, the budgets of the others are dropped: each divides its own time. */
export function restoreLimits({ filled, storm, floods }: Limits, by: Translation, tables: Limited): void {
  for (const [former, kind, level] of storm) {
    const port = by.port(former);
    if (port !== undefined && port < MAX_PORTS) tables.storm.restore(port, kind, level, filled);
  }
  for (const [engine, sources] of floods.entries()) {
    for (const [former, taken, filledAt] of sources) {
      const source = sourceOf(former, by);
      if (source !== undefined) tables.budgets[engine]?.restore(source, taken, filledAt);
    }
  }
}

function sourceOf(former: number, by: Translation): number | undefined {
  if (former < MAX_PORTS) return by.port(former);
  const remote = by.remote(former - MAX_PORTS);
  return remote === undefined ? undefined : floodSource(0, remote);
}
