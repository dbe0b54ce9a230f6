/** packaging/grafana/overtap.json: a Grafana board for the metrics of overtap switches, as JSON text. Pure. */

interface Panel {
  title: string;
  kind: 'stat' | 'timeseries';
  /** Grafana's name of the unit. */
  unit: string;
  /** PromQL and the legend of its series. */
  queries: readonly (readonly [expression: string, legend: string])[];
}

interface Row {
  title: string;
  panels: readonly Panel[];
}

/** Columns of Grafana's grid. */
const WIDTH = 24;
const STAT_HEIGHT = 4;
const GRAPH_HEIGHT = 8;

/** Series of the chosen switches; of chosen links where a link is meant. */
const OF = 'instance=~"$instance"';
const OF_LINK = `${OF},link=~"$link"`;

const rate = (metric: string, labels: string): string => `rate(${metric}{${labels}}[$__rate_interval])`;
const traffic = (prefix: string, unit: 'bytes' | 'packets', label: string, labels: string): Panel['queries'] =>
  (['receive', 'transmit'] as const).map((way) => {
    const series = rate(`${prefix}_${way}_${unit}_total`, labels);
    const sum = `sum by (instance, ${label}) (${series})`;
    return [unit === 'bytes' ? `8 * ${sum}` : sum, `{{instance}} {{${label}}} ${way}`];
  });

const ROWS: readonly Row[] = [
  {
    title: 'Switches',
    panels: [
      stat('Version', 'none', `overtap_info{${OF}}`, '{{name}} {{version}}'),
      stat('Uptime', 's', `overtap_uptime_seconds{${OF}}`, '{{instance}}'),
      stat(
        'Links down',
        'none',
        `count by (instance) (overtap_link_up{${OF}} == 0) or 0 * overtap_info{${OF}}`,
        '{{instance}}',
      ),
      stat('FDB in use', 'percentunit', `overtap_fdb_entries{${OF}} / overtap_fdb_capacity{${OF}}`, '{{instance}}'),
    ],
  },
  {
    title: 'Links',
    panels: [
      graph('Traffic by link', 'bps', traffic('overtap_link', 'bytes', 'link', OF_LINK)),
      graph('Frames by link', 'pps', traffic('overtap_link', 'packets', 'link', OF_LINK)),
      graph('Drops by reason', 'pps', [
        [`sum by (instance, reason) (${rate('overtap_link_drops_total', OF_LINK)}) > 0`, '{{instance}} {{reason}}'],
      ]),
      graph('Drops by link', 'pps', [
        [`sum by (instance, link) (${rate('overtap_link_drops_total', OF_LINK)}) > 0`, '{{instance}} {{link}}'],
      ]),
    ],
  },
  {
    title: 'Tunnels',
    panels: [
      graph('Traffic by remote', 'bps', traffic('overtap_remote', 'bytes', 'remote', OF)),
      graph('Frames by remote', 'pps', traffic('overtap_remote', 'packets', 'remote', OF)),
      graph('Traffic by VNI', 'bps', traffic('overtap_vni', 'bytes', 'vni', OF)),
      graph('Frames by VNI', 'pps', traffic('overtap_vni', 'packets', 'vni', OF)),
    ],
  },
  {
    title: 'Learning and flooding',
    panels: [
      graph('FDB entries', 'none', [
        [`overtap_fdb_entries{${OF}}`, '{{instance}}'],
        [`overtap_fdb_capacity{${OF}}`, '{{instance}} capacity'],
      ]),
      graph(
        'Changes of the FDB',
        'ops',
        ['learned', 'moved', 'aged', 'evicted', 'refused'].map((what) => [
          rate(`overtap_fdb_${what}_total`, OF),
          `{{instance}} ${what}`,
        ]),
      ),
      graph('Copies made by flooding', 'pps', [[rate('overtap_replicated_packets_total', OF), '{{instance}}']]),
      graph('Superframes left to the NIC (tunnel GSO)', 'pps', [
        [rate('overtap_tunnel_gso_superframes_total', OF), '{{instance}}'],
      ]),
    ],
  },
  {
    title: 'Process',
    panels: [
      graph('Resident memory', 'bytes', [[`process_resident_memory_bytes{${OF}}`, '{{instance}}']]),
      graph('Faults, lost log lines, refused connections', 'none', [
        [`increase(overtap_control_faults_total{${OF}}[1h])`, '{{instance}} fault: {{place}}'],
        [`increase(overtap_log_lines_lost_total{${OF}}[1h])`, '{{instance}} log lines lost'],
        [`increase(overtap_control_connections_refused_total{${OF}}[1h])`, '{{instance}} connections refused'],
      ]),
    ],
  },
];

function stat(title: string, unit: string, expression: string, legend: string): Panel {
  return { title, kind: 'stat', unit, queries: [[expression, legend]] };
}

function graph(title: string, unit: string, queries: Panel['queries']): Panel {
  return { title, kind: 'timeseries', unit, queries };
}

const SOURCE = { type: 'prometheus', uid: '$datasource' }; // the variable of the board

/** packaging/grafana/overtap.json. */
export function boardText(): string {
  const board = {
    title: 'overtap',
    uid: 'overtap',
    description: 'Switches of overtap: traffic, drops by reason, tunnels, forwarding database.',
    tags: ['overtap', 'vxlan'],
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    schemaVersion: 39,
    time: { from: 'now-1h', to: 'now' },
    templating: { list: variables() },
    panels: panelsOf(ROWS),
  };
  return `${JSON.stringify(board, null, 2)}\n`;
}

function variables(): object[] {
  const choice = (name: string, query: string): object => ({
    ...{ name, type: 'query', datasource: SOURCE, query, definition: query },
    ...{ refresh: 2, sort: 1, multi: true, includeAll: true, current: { text: 'All', value: '$__all' } },
  });
  return [
    { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
    choice('instance', 'label_values(overtap_info, instance)'),
    choice('link', 'label_values(overtap_link_up{instance=~"$instance"}, link)'),
  ];
}

function panelsOf(rows: readonly Row[]): object[] {
  const panels: object[] = [];
  let y = 0;
  const add = (panel: object): void => void panels.push({ id: panels.length + 1, ...panel });
  for (const { title, panels: own } of rows) {
    add({ type: 'row', title, collapsed: false, panels: [], gridPos: { x: 0, y: y++, w: WIDTH, h: 1 } });
    const isStats = own.every(({ kind }) => kind === 'stat');
    const h = isStats ? STAT_HEIGHT : GRAPH_HEIGHT;
    const columns = isStats ? own.length : 2;
    const w = WIDTH / columns;
    own.forEach((panel, i) => {
      add(panelJson(panel, { x: (i % columns) * w, y: y + Math.floor(i / columns) * h, w, h }));
    });
    y += Math.ceil(own.length / columns) * h;
  }
  return panels;
}

function panelJson({ title, kind, unit, queries }: Panel, gridPos: object): object {
  return {
    type: kind,
    title,
    datasource: SOURCE,
    gridPos,
    fieldConfig: { defaults: { unit, ...(kind === 'stat' ? {} : { min: 0 }) }, overrides: [] },
    options:
      kind === 'stat' ? { textMode: title === 'Version' ? 'name' : 'value_and_name' } : { tooltip: { mode: 'multi' } },
    targets: queries.map(([expr, legendFormat], i) => ({
      ...{ refId: String.fromCharCode(65 + i), datasource: SOURCE, expr, legendFormat },
      ...(kind === 'stat' ? { instant: true } : {}),
    })),
  };
}
