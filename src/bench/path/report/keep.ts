/**
 * Owns bench/results: for each kept result a JSON file with every sample, a Markdown page and a plot, named by date and
 * commit; one of local ports has no plot. It never replaces an earlier result.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Result } from '../types.js';
import { plot } from './plot.js';
import { markdownReport } from './report.js';

const RESULTS = fileURLToPath(new URL('../../../../bench/results', import.meta.url));

/** Writes the files of a result. @returns the path of the Markdown page */
export function keep(result: Result): string {
  mkdirSync(RESULTS, { recursive: true });
  const isLocal = result.settings.columns.includes('L');
  const kind = isLocal ? '-local' : result.settings.underlay === 'ipv6' ? '-ipv6' : '';
  const base = `${result.started.slice(0, 10)}-${result.machine.commit}${kind}`;
  let name = base;
  for (let n = 2; existsSync(`${RESULTS}/${name}.json`); n++) name = `${base}-${n}`;
  writeFileSync(`${RESULTS}/${name}.json`, jsonReport(result));
  if (!isLocal) writeFileSync(`${RESULTS}/${name}.svg`, plot(result));
  writeFileSync(`${RESULTS}/${name}.md`, markdownReport(result, isLocal ? null : `${name}.svg`));
  return `${RESULTS}/${name}.md`;
}

export function jsonReport(result: Result): string {
  return `${JSON.stringify(result, null, 2)}\n`;
}
