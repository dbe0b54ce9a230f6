/**
 * Proves claims about a lab that is up which its own file does not make: an exercise judges a lab that a student may have edited. Hosts and
 * guests must still be those of the original.
 */
import { readDocument } from '../config/read/document.js';
import { FaultList } from '../config/read/faults.js';
import { checkLab } from './check.js';
import type { Finding, Print } from './checks/findings.js';
import { allHold } from './checks/findings.js';
import { runChecks } from './checks/words/index.js';
import type { CheckOf } from './checks/words/word.js';
import { readChecks } from './file/checks.js';
import { labOf } from './file/from-file.js';
import { Notes } from './file/notes.js';
import { decodeLabFile, loadLabFile } from './file/read.js';
import type { LabEnvironment } from './setup/environment.js';
import { fileCopy, loadState } from './setup/state.js';
import type { Topology } from './setup/topology.js';

/** The lab as its author wrote it. */
export interface Original {
  /** Text of the lab file; its checks count too. */
  readonly text: string;
  /** Text with further `checks`. */
  readonly hidden: string;
}

export interface Grade {
  readonly isUp: boolean;
  /** What of hosts and guests is another than in the original: then nothing was checked. */
  readonly changed?: string;
  readonly solved: boolean;
}

/** @throws LabError LAB_AGENT_FAILED; Interrupted; ConfigError for a fault of the author */
export async function grade(
  name: string,
  { text, hidden }: Original,
  { environment, print, signal }: { environment: LabEnvironment; print: Print; signal: AbortSignal },
): Promise<Grade> {
  if (loadState(environment.root, name) === null) return { isUp: false, solved: false };
  const file = decodeLabFile(text, `${name}.yaml`);
  const checks = [...file.checks, ...checksIn(hidden, `${name}: hidden.yaml`)];
  // Captures end before the first check that moves much.
  checks.sort((a, b) => Number(a.word.isBulk) - Number(b.word.isBulk));
  const lab = labOf(file, (inspection) => runChecks(inspection, checks));
  const changed = difference(lab.topology, labOf(loadLabFile(fileCopy(environment.root, name))).topology);
  if (changed !== undefined) return { isUp: true, changed, solved: false };
  const findings: Finding[] = [];
  await checkLab(lab, { environment, print, signal, findings, staysUp: true });
  return { isUp: true, solved: allHold(findings) };
}

function checksIn(text: string, fileName: string): CheckOf[] {
  const { value, locator } = readDocument(text, fileName);
  const faults = new FaultList(locator);
  const checks = readChecks((value as { checks: unknown[] }).checks, faults, new Notes());
  if (faults.count > 0) throw faults.toError(fileName);
  return checks;
}

/** The first part that differs. */
function difference(wanted: Topology, found: Topology): string | undefined {
  const named = [...wanted.hosts, ...wanted.stations].map((one) => [one.name, JSON.stringify(one)] as const);
  const there = new Map([...found.hosts, ...found.stations].map((one) => [one.name, JSON.stringify(one)]));
  const other = named.find(([name, text]) => there.get(name) !== text);
  if (other !== undefined) return `${other[0]} is ${there.has(other[0]) ? 'another one' : 'missing'}`;
  if (there.size > named.length) return 'there are more';
  const rest = ({ hosts: _h, stations: _s, ...others }: Topology): string => JSON.stringify(others);
  return rest(wanted) === rest(found) ? undefined : 'the underlay or the routes are others';
}
