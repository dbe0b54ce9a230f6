/**
 * EVPN at scale: `npm run bench:scale`. Whole fabrics as far as they fit into one process, and one host in fabrics up to 10,000 hosts.
 * `--quick`: small ones that only show that it works; `--whole`, `--edge`: only the former, the latter; `--hosts=N`: only the whole fabric of N
 * hosts; `--json`: the figures.
 */
import { type EdgeResult, measureEdge } from './edge.js';
import type { Fabric } from './fabric.js';
import { measureWhole, type WholeResult } from './whole.js';

const VNIS = 1000;

/** Each route is read by every host: 0.3, 0.6 and 1.1 million readings in a phase that sends everything. */
const WHOLE: Fabric[] = [
  { hosts: 50, vnis: 100, macs: 5000, spread: 20 },
  { hosts: 200, vnis: 100, macs: 1000, spread: 20 },
  { hosts: 1000, vnis: 50, macs: 100, spread: 20 },
];
const EDGE: Fabric[] = [50, 100, 200, 1000, 10_000].map((hosts) => ({ hosts, vnis: VNIS, macs: 100_000, spread: 20 }));
/** All VNIs on all hosts: the worst for flood lists. */
const EVERYWHERE: Fabric[] = [50, 200, 1000].map((hosts) => ({ hosts, vnis: 100, macs: 100_000, spread: hosts }));

const QUICK: Fabric = { hosts: 4, vnis: 10, macs: 200, spread: 3 };

const only = process.argv.find((word) => word.startsWith('--hosts='))?.slice('--hosts='.length);
const isWhole = only !== undefined || process.argv.includes('--whole');
const isEdge = process.argv.includes('--edge');
const isQuick = process.argv.includes('--quick');
const isJson = process.argv.includes('--json');

async function run(): Promise<void> {
  const edges = (isWhole ? [] : isQuick ? [QUICK] : [...EDGE, ...EVERYWHERE]).map((fabric) =>
    told(measureEdge(fabric), edgeText),
  );
  const wholes: WholeResult[] = [];
  const fabrics = WHOLE.filter(({ hosts }) => only === undefined || hosts === Number(only));
  for (const fabric of isEdge ? [] : isQuick ? [QUICK] : fabrics)
    wholes.push(told(await measureWhole(fabric), wholeText));
  if (isJson) console.log(JSON.stringify({ edges, wholes }));
}

function told<T>(result: T, text: (result: T) => string): T {
  if (!isJson) console.log(text(result));
  return result;
}

function edgeText(one: EdgeResult): string {
  const { hosts, vnis, macs, spread } = one;
  return [
    `one host of ${hosts}: ${vnis} VNIs on ${spread} hosts each, ${macs} MACs`,
    `  ${one.own} own VNIs, ${one.routes} routes in ${one.messages} messages (${one.megabytes.toFixed(1)} MB)`,
    `  ${one.entries} FDB entries, ${one.floodRows} flood rows, ${mega(one.bytes)} MB (${Math.round(one.bytesPerRoute)} bytes a route)`,
    `  cold ${one.coldSeconds.toFixed(2)} s, hard restart ${one.hardSeconds.toFixed(2)} s, graceful restart ` +
      `${one.gracefulSeconds.toFixed(2)} s with ${one.gracefulChanges} changed rows`,
  ].join('\n');
}

function wholeText({ hosts, vnis, macs, spread, ...one }: WholeResult): string {
  return [
    `all of ${hosts} hosts: ${vnis} VNIs on ${spread} hosts each, ${macs} MACs`,
    `  a host: ${one.routesPerHost} routes, ${one.entriesPerHost} FDB entries, ${mega(one.bytesPerHost)} MB ` +
      `(${Math.round(one.bytesPerRoute)} bytes a route)`,
    ...one.phases.map(
      ({ name, seconds, secondsPerHost, elapsed, messages, changesPerHost }) =>
        `  ${name}: ${seconds.toFixed(1)} s, ${(secondsPerHost * 1000).toFixed(0)} ms a host, ` +
        `${elapsed.toFixed(1)} s elapsed, ${messages} messages, ${changesPerHost} changed rows a host`,
    ),
  ].join('\n');
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

await run();
