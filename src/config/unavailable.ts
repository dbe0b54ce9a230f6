/**
 * Options of the contract whose function this version does not have.
 *
 * Owns the one table of them. A version that adds the function removes the row; nothing else has to change here.
 */
import { allPorts, type DecodedSwitch } from './decode.js';
import type { FaultList, Path } from './faults.js';

interface Row {
  key: string;
  /** The values that ask for nothing: the default. */
  isDefault: (value: unknown) => boolean;
  /** What is not available. */
  what: string;
}

const off = (value: unknown): boolean => value === false;

const TABLE: readonly Row[] = [
  { key: 'proxy', isDefault: off, what: 'proxy' },
  { key: 'rsc', isDefault: off, what: 'rsc' },
  { key: 'l2miss', isDefault: off, what: 'l2miss' },
  { key: 'l3miss', isDefault: off, what: 'l3miss' },
  { key: 'neigh_suppress', isDefault: off, what: 'neigh_suppress' },
];

/** Refuses what the table holds, unless it is at its default. */
export function checkAvailable(config: DecodedSwitch, faults: FaultList): void {
  for (const port of allPorts(config)) check(port, faults);
}

function check({ path, given }: { path: Path; given: object }, faults: FaultList): void {
  const values = given as Record<string, unknown>;
  for (const row of TABLE) {
    const value = values[row.key];
    if (value === undefined || row.isDefault(value)) continue;
    faults.at([...path, row.key], `${row.what} is not available in this version; remove it`);
  }
}
