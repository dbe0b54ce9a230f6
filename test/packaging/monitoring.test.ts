/**
 * The Grafana board and the alert rules use metrics that a switch has, with labels that these metrics have. `npm run docs`
 * writes the board anew.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { metricParts } from '../../src/control/http/metrics.js';
import { DROP_REASONS } from '../../src/dataplane/state/drop-reasons.js';
import { FakeViews, STATS } from '../control/http/server-harness.js';
import { boardText } from './grafana.js';

const PACKAGING = new URL('../../packaging/', import.meta.url).pathname;

/** What Prometheus adds to every sample, and its own metric. */
const SCRAPED = ['instance', 'job'];
const UP = ['up', SCRAPED] as const;

/** The metrics of a switch that counts everything, with their labels. */
function metricsOfSwitch(): Map<string, Set<string>> {
  const control = { log_lost: 1, connections_refused: 2, faults: { tick: 3 } };
  const fdb = { ...STATS.fdb, evicted: 17, capacity: 65_536 };
  const text = [
    ...metricParts({
      info: { name: 'host1', version: '1.2.3' },
      stats: { ...STATS, tunnel_gso: 18, fdb, control },
      links: new FakeViews().links(),
      uptimeSeconds: 1,
      residentBytes: 1,
    }),
  ].join('');
  const found = new Map<string, Set<string>>([[UP[0], new Set(UP[1])]]);
  for (const [, name = '', labels = ''] of text.matchAll(/^([a-z_]+)(?:\{(.*)\})? /gm)) {
    const own = found.get(name) ?? new Set(SCRAPED);
    for (const [, label = ''] of labels.matchAll(/([a-z_]+)="/g)) own.add(label);
    found.set(name, own);
  }
  return found;
}

const METRICS = metricsOfSwitch();

/** The faults of a PromQL expression as far as names go. */
function faultsOf(expression: string): string[] {
  const faults: string[] = [];
  const metrics: string[] = [];
  for (const [, name = '', selector = ''] of expression.matchAll(
    /\b((?:overtap|process)_[a-z_]+|up)\b(?:\{([^}]*)\})?/g,
  )) {
    const labels = METRICS.get(name);
    metrics.push(name);
    if (labels === undefined) faults.push(`no metric ${name}`);
    for (const [, label = '', values = ''] of selector.matchAll(/([a-z_]+)=~?"([^"]*)"/g)) {
      if (labels?.has(label) === false) faults.push(`${name} has no label ${label}`);
      if (label !== 'reason') continue;
      for (const reason of values.split('|'))
        if (!(DROP_REASONS as readonly string[]).includes(reason)) faults.push(`no drop reason ${reason}`);
    }
  }
  if (metrics.length === 0) faults.push(`no metric in ${expression}`);
  for (const [, list = ''] of expression.matchAll(/\bby \(([^)]*)\)/g))
    for (const label of list.split(/, */))
      if (!metrics.some((name) => METRICS.get(name)?.has(label))) faults.push(`nothing has a label ${label}`);
  return faults;
}

/** Labels in a text for people, as `{{ $labels.link }}` or `{{link}}`, that its expression does not leave. */
function missingLabels(text: string, pattern: RegExp, expression: string): string[] {
  const by = /\bby \(([^)]*)\)/.exec(expression)?.[1]?.split(/, */);
  const name = /\b(?:overtap|process)_[a-z_]+|\bup\b/.exec(expression)?.[0] ?? '';
  const left = by ?? [...(METRICS.get(name) ?? [])];
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '').filter((label) => !left.includes(label));
}

interface Rule {
  alert: string;
  expr: string;
  annotations: { summary: string; description: string };
}

describe('packaging/prometheus/overtap.rules.yml', () => {
  const file = parse(readFileSync(`${PACKAGING}prometheus/overtap.rules.yml`, 'utf8')) as {
    groups: { rules: Rule[] }[];
  };
  const rules = file.groups.flatMap((group) => group.rules);

  it.each(rules)('$alert uses metrics and labels of a switch', ({ expr, annotations }) => {
    expect(faultsOf(expr)).toEqual([]);
    const text = `${annotations.summary} ${annotations.description}`;
    expect(missingLabels(text, /\$labels\.([a-z]+)/g, expr)).toEqual([]);
  });

  it('finds faults', () => {
    expect(faultsOf('rate(overtap_link_drop_total[5m])')).toEqual(['no metric overtap_link_drop_total']);
    expect(faultsOf('overtap_link_up{remote="x"}')).toEqual(['overtap_link_up has no label remote']);
    expect(faultsOf('sum by (vni) (overtap_link_up)')).toEqual(['nothing has a label vni']);
    expect(faultsOf('overtap_link_drops_total{reason=~"no_pvid|nothing"}')).toEqual(['no drop reason nothing']);
    expect(faultsOf('1 > 0')).toHaveLength(1);
  });
});

describe('packaging/grafana/overtap.json', () => {
  interface Target {
    expr: string;
    legendFormat: string;
  }
  const board = JSON.parse(boardText()) as { panels: { title: string; targets?: Target[] }[] };
  const targets = board.panels.flatMap(({ title, targets: own = [] }) => own.map((target) => ({ title, ...target })));

  it('is the board of grafana.ts', async () => {
    await expect(boardText()).toMatchFileSnapshot(`${PACKAGING}grafana/overtap.json`);
  });

  it.each(targets)('$title: $legendFormat uses metrics and labels of a switch', ({ expr, legendFormat }) => {
    expect(faultsOf(expr)).toEqual([]);
    expect(missingLabels(legendFormat, /\{\{([a-z]+)\}\}/g, expr)).toEqual([]);
  });

  it('shows every metric of a switch, except those of deleted ports', () => {
    const shown = targets.map(({ expr }) => expr).join(' ');
    const hidden = [...METRICS.keys()].filter((name) => name !== 'up' && !name.startsWith('overtap_retired_'));
    expect(hidden.filter((name) => !new RegExp(`\\b${name}\\b`).test(shown))).toEqual([]);
  });
});
