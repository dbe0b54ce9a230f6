/** Surrounds a measure by readings of counters, and fails it when its traffic did not take the expected path. */
import type { Site } from '../site/site.js';
import { NIC } from '../site/site.js';
import type { RunningSwitch } from '../switches/variant.js';
import type { Values } from '../types.js';
import { devicesIn } from './counters.js';
import { between, type Carried, deviations, type Expectation, type HostCounters, type Shown } from './path.js';

/** A measure's values, and what it carried at least; null: nothing that can be told. */
export interface Measured {
  readonly values: Values;
  readonly carried: Carried | null;
  readonly isTcp?: boolean;
}

export interface Proved {
  readonly values: Values;
  /** Null without an underlay. */
  readonly shown: Shown | null;
}

/**
 * Makes a measure between two readings.
 * @param switches of host 1 and host 2
 * @throws an error that says what did not go the expected way
 */
export async function prove(
  site: Site,
  switches: readonly RunningSwitch[],
  { expected, plain }: { expected: Expectation; plain: boolean },
  work: () => Promise<Measured>,
): Promise<Proved> {
  if (switches.length < 2) return { values: (await work()).values, shown: null };
  const before = await read(site, switches);
  const { values, carried, isTcp = false } = await work();
  const shown = between(before, await read(site, switches));
  const wrong = carried === null ? [] : deviations(shown, carried, expected, { plain, isTcp });
  if (wrong.length > 0) throw new Error(`${Object.keys(values).join(', ')}: ${wrong.join('; ')}`);
  return { values, shown };
}

function read(site: Site, switches: readonly RunningSwitch[]): Promise<HostCounters[]> {
  return Promise.all(
    site.hosts.map(async ({ netns }, index) => ({
      tunnel: (await switches[index].tunnel?.()) ?? null,
      underlay: devicesIn(netns)[NIC],
    })),
  );
}
