/**
 * Runs the kernel's own tests of bridge and vxlan (a tree with tools/testing/selftests/net) under `overtap exec`, each script in
 * namespaces of its own, and prints a table of the cases. What this kernel lacks and the scripts need is provided by `shim`.
 *
 *   npm run conformance -- --selftests DIR [--iproute2 DIR] [--only WORD]... [--tests "TEST ..."] [--jobs N] [--limit SECONDS]
 *     [--json FILE] [--keep DIR]
 *
 * With --tests only those tests of a script run, and their cases are put beside those that FILE has of it: long scripts in parts.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { casesOf, merge } from './cases.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, '../..');
/** Which scripts of `net`. */
const SCRIPTS = [
  /^forwarding\/bridge_[a-z0-9_]+\.sh$/,
  /^forwarding\/vxlan_[a-z0-9_]+\.sh$/,
  /^fdb_flush\.sh$/,
  /^test_vxlan_[a-z0-9_]+\.sh$/,
  /^test_bridge_[a-z0-9_]+\.sh$/,
];
/** Programs that name interfaces, which may be in another namespace here. */
const SHIMMED = [
  'ip',
  'tc',
  'sysctl',
  'ping',
  'ping6',
  'mausezahn',
  'arping',
  'tcpdump',
  'ethtool',
  'traceroute6',
  'ndisc6',
];
const TOOLS = {
  jq: 'jq',
  mausezahn: 'netsniff-ng',
  arping: 'iputils-arping',
  tcpdump: 'tcpdump',
  ethtool: 'ethtool',
  nft: 'nftables',
  bc: 'bc',
  dc: 'dc',
  unshare: 'util-linux',
};
/** After all links are up: as long as the kernel looks for duplicate addresses. */
const WAIT_SECONDS = '3';

const { values: options } = parseArgs({
  options: {
    selftests: { type: 'string' },
    iproute2: { type: 'string' },
    only: { type: 'string', multiple: true },
    tests: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    limit: { type: 'string', default: '900' },
    json: { type: 'string' },
    keep: { type: 'string' },
  },
});

function fail(text) {
  console.error(text);
  process.exit(2);
}

function netFolder(tree) {
  if (tree === undefined) fail('name a kernel tree: npm run conformance -- --selftests DIR');
  const folder = [join(tree, 'tools/testing/selftests/net'), join(tree, 'net'), tree].find((one) =>
    existsSync(join(one, 'forwarding/lib.sh')),
  );
  return folder === undefined ? fail(`${tree} has no tools/testing/selftests/net`) : resolve(folder);
}

function checkTools() {
  const folders = (process.env.PATH ?? '').split(':').concat('/usr/sbin', '/sbin');
  const missing = Object.entries(TOOLS).filter(([name]) => !folders.some((one) => existsSync(join(one, name))));
  if (missing.length > 0) fail(`missing; on Debian: apt-get install ${missing.map(([, name]) => name).join(' ')}`);
  if (process.getuid() !== 0) fail('the scripts make namespaces: run this as root');
}

/** What the kernel cannot do, found out in a namespace of its own. */
function lacking() {
  const can = (line) => {
    try {
      execFileSync('unshare', ['--net', 'sh', '-ec', line], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  };
  const needs = {
    vrf: 'ip link add v type vrf table 10',
    dummy: 'ip link add d type dummy',
    vlan: 'ip link add a type veth peer name b; ip link add link a name a.5 type vlan id 5',
    flower:
      'ip link add a type veth peer name b; tc qdisc add dev a clsact; tc filter add dev a ingress protocol ip pref 1 handle 1 flower dst_ip 192.0.2.1 action drop',
  };
  const lacks = Object.keys(needs).filter((name) => !can(needs[name]));
  // A port of the switch takes frames before filters of its interface see them.
  return [...new Set([...lacks, 'flower'])];
}

function runScript(net, script, lacks) {
  const folder = mkdtempSync(join(tmpdir(), 'overtap-selftest-'));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const name of SHIMMED) symlinkSync(join(HERE, 'shim'), join(bin, name));
  const env = {
    ...process.env,
    SELFTEST_STATE: join(folder, 'state'),
    SELFTEST_LACKS: lacks.join(' '),
    SELFTEST_SWITCH: join(HERE, 'switch'),
    SELFTEST_FLOWER: join(HERE, 'flower'),
    SELFTEST_SHIM: bin,
    SELFTEST_BIN: bin,
    SELFTEST_IPROUTE:
      options.iproute2 === undefined ? '' : `${join(options.iproute2, 'sbin')}:${join(options.iproute2, 'bin')}`,
    SELFTEST_NODE: process.execPath,
    SELFTEST_OVERTAP: join(ROOT, 'bin/overtap'),
    KSFT_MACHINE_SLOW: 'yes',
    WAIT_TIME: WAIT_SECONDS,
    ...(options.tests === undefined ? {} : { TESTS: options.tests }),
  };
  // Scripts of `forwarding` read TESTS, those of `net` take a word.
  const words = options.tests === undefined || script.startsWith('forwarding/') ? [] : ['-t', options.tests];
  const own = ['--net', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const started = Date.now();
  // A file, as scripts open /dev/stderr.
  const log = join(folder, 'output');
  const out = openSync(log, 'w');
  const child = spawn('unshare', [...own, join(HERE, 'start'), join(net, script), ...words], {
    env,
    stdio: ['ignore', out, out],
  });
  closeSync(out);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, Number(options.limit) * 1000);
  return new Promise((done) => {
    child.on('close', (status) => {
      clearTimeout(timer);
      const output = readFileSync(log, 'utf8');
      if (options.keep !== undefined) {
        mkdirSync(options.keep, { recursive: true });
        writeFileSync(join(options.keep, `${script.replaceAll('/', '-')}.log`), output);
      }
      rmSync(folder, { recursive: true, force: true });
      done({ script, seconds: Math.round((Date.now() - started) / 1000), ...casesOf(output, late ? 'late' : status) });
    });
  });
}

/** Two parts of a script. */
function together(a, b) {
  const { reason: _, ...rest } = a;
  const reason = a.reason ?? b.reason;
  const cases = merge([...a.cases, ...b.cases]);
  return { ...rest, seconds: a.seconds + b.seconds, cases, ...(reason === undefined ? {} : { reason }) };
}

const net = netFolder(options.selftests);
checkTools();
const wanted = options.only ?? [];
const scripts = ['.', 'forwarding']
  .flatMap((folder) => readdirSync(join(net, folder)).map((name) => join(folder, name)))
  .filter((name) => SCRIPTS.some((one) => one.test(name)))
  .filter((name) => wanted.length === 0 || wanted.some((word) => name.includes(word)))
  .sort();
const lacks = lacking();
console.log(`${scripts.length} scripts; provided here: ${lacks.join(', ')}`);

const known =
  options.json !== undefined && existsSync(options.json) ? JSON.parse(readFileSync(options.json, 'utf8')) : [];
const results = new Map(known.map((one) => [one.script, one]));
const queue = [...scripts];
async function work() {
  for (let script = queue.shift(); script !== undefined; script = queue.shift()) {
    const result = await runScript(net, script, lacks);
    const before = options.tests === undefined ? undefined : results.get(script);
    results.set(script, before === undefined ? result : together(before, result));
    const count = (word) => result.cases.filter((one) => one.result === word).length;
    console.log(
      `${script}: ${count('passes')} passes, ${count('differs')} differs, ${count('cannot run')} cannot run (${result.seconds} s)${result.reason === undefined ? '' : `: ${result.reason}`}`,
    );
    for (const { name, result: how, reason } of result.cases) {
      if (how !== 'passes') console.log(`  ${how}: ${name}${reason === undefined ? '' : `: ${reason}`}`);
    }
    const all = [...results.values()].sort((a, b) => a.script.localeCompare(b.script));
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(all, null, 1)}\n`);
  }
}
await Promise.all(Array.from({ length: Number(options.jobs) }, work));
const all = scripts.flatMap((name) => results.get(name).cases);
const sum = (word) => all.filter((one) => one.result === word).length;
console.log(
  `${all.length} cases of ${scripts.length} scripts: ${sum('passes')} passes, ${sum('differs')} differs, ${sum('cannot run')} cannot run`,
);
console.log(`(${basename(process.execPath)} ${process.version}, ${net})`);
