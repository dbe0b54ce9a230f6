/**
 * `overtap doctor` beside real switches: a healthy pair, over IPv4 and IPv6, and one fault at a time.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Check, Diagnosis } from '../../src/doctor/check.js';
import type { Ended } from '../../src/lab/testbed/program.js';
import { World } from './host-testbed.js';
import { OVERTAP, overtap, type RunningSwitch } from './switch.js';
import { type Guest, type Host, plainBridge, singlePort, tapPort, twoHosts } from './topologies.js';
import { makeGuest, succeed, tunnelGsoLack } from './two-hosts.js';

const LIMIT_MS = 5000;
/** Of a thousand remotes some are not probed within its time when the machine has other things to do for a moment. */
const TRIES = 8;
const lack = await tunnelGsoLack();

let world: World;

beforeEach(() => {
  world = new World();
});

afterEach(() => world.cleanUp());

function doctor(netns: string, ...words: string[]): Promise<Ended> {
  return world.exec(netns, [process.execPath, OVERTAP, ...words]);
}

/** Examines a switch from its own namespace, within the time that was promised. */
async function examine(sw: RunningSwitch, netns: string): Promise<Diagnosis> {
  const started = performance.now();
  const ended = await doctor(netns, '-s', sw.control, '--json', 'doctor');
  expect(performance.now() - started).toBeLessThan(LIMIT_MS + 1500); // the program has to start, too
  expect(ended.stderr).toBe('');
  const found = JSON.parse(ended.stdout) as Diagnosis;
  expect(ended.status).toBe(found.ok ? 0 : 1);
  return found;
}

const faults = ({ checks }: Diagnosis): Check[] => checks.filter(({ level }) => level !== 'ok');

function about(found: Diagnosis, subject: string): Check {
  const check = found.checks.find((one) => one.subject === subject);
  if (check === undefined) throw new Error(`no check is about ${subject}:\n${JSON.stringify(found, null, 2)}`);
  return check;
}

interface Pair {
  hosts: readonly [Host, Host];
  guests: readonly [Guest, Guest];
  switches: readonly [RunningSwitch, RunningSwitch];
}

/** A switch in each of the hosts, the other one's remote, with a guest. @param more further remotes of the first */
async function pairOn(hosts: readonly [Host, Host], more: readonly string[] = []): Promise<Pair> {
  const guests = [await makeGuest(world, 1), await makeGuest(world, 2)] as const;
  const quoted = (address: string): string => `"${address}"`;
  const start = (index: 0 | 1): Promise<RunningSwitch> => {
    const remotes = [hosts[1 - index].address, ...(index === 0 ? more : [])].map(quoted);
    const port = singlePort(quoted(hosts[index].address), remotes, 42);
    return world.startSwitch(hosts[index].netns, `host${index + 1}`, plainBridge(tapPort('tap0', guests[index]), port));
  };
  return { hosts, guests, switches: [await start(0), await start(1)] };
}

/** Two hosts with a router between them, whose way to the second has an MTU of 1400. @returns the router too */
async function narrowHosts(): Promise<{ hosts: [Host, Host]; router: string }> {
  const router = await world.netns('router');
  await succeed(world, router, ['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
  const add = async (number: number): Promise<Host> => {
    const host: Host = { netns: await world.netns(`h${number}`), ifname: 'eth0', address: `10.9.${number}.2` };
    const far = { netns: router, ifname: `to${number}` };
    await world.veth(host, far);
    await world.address(host, `${host.address}/24`);
    await world.address(far, `10.9.${number}.1/24`);
    await world.ip(host.netns, `route add default via 10.9.${number}.1`);
    return host;
  };
  const hosts: [Host, Host] = [await add(1), await add(2)];
  await world.ip(router, 'link set to2 mtu 1400');
  await world.ip(hosts[1].netns, 'link set eth0 mtu 1400');
  return { hosts, router };
}

describe('a healthy pair', () => {
  test('is all right, in lines and in JSON', async () => {
    const { hosts, switches } = await pairOn(await twoHosts(world));
    const [one] = switches;
    const found = await examine(one, hosts[0].netns);
    expect(faults(found)).toEqual([]);
    expect(found.ok).toBe(true);
    for (const subject of ['rights', '/dev/net/tun', 'kernel features', 'pings', 'br1', 'vxlan0', 'drops'])
      expect(about(found, subject).level).toBe('ok');
    expect(about(found, 'vxlan0 192.0.2.2').finding).toMatch(/^answers pings, in \d/);
    expect(about(found, 'vxlan0 192.0.2.2 path MTU').finding).toBe("1500; guests' 1450 bytes and 50 around them fit");
    expect(about(found, 'vxlan0 192.0.2.2 UDP port 4789').finding).toMatch(/^open or filtered/);

    const ended = await doctor(hosts[0].netns, '-s', one.control, 'doctor');
    expect(ended.status).toBe(0);
    const lines = ended.stdout.trimEnd().split('\n');
    expect(lines.pop()).toBe(`${found.checks.length} checks: ${found.checks.length} ok`);
    expect(lines).toHaveLength(found.checks.length);
    for (const line of lines) expect(line).toMatch(/^ok {4}\S.*: \S/);

    // What the other end took of the probes it has dropped under the name that the help says.
    const { links } = await switches[1].stats();
    expect(links.vxlan0?.drops).toEqual({ vxlan_flag_missing: 4 });
    expect(links.vxlan0?.remotes?.['192.0.2.1']?.rx_packets).toBe(0);
  });

  test('is all right over IPv6', async () => {
    const make = async (number: number): Promise<Host> => ({
      netns: await world.netns(`h${number}`, { ipv6: true }),
      ifname: 'eth0',
      address: `2001:db8::${number}`,
    });
    const hosts = [await make(1), await make(2)] as const;
    await world.veth(...hosts);
    for (const host of hosts) await world.address(host, `${host.address}/64`);
    const { switches } = await pairOn(hosts);
    const found = await examine(switches[0], hosts[0].netns);
    expect(faults(found)).toEqual([]);
    expect(about(found, 'vxlan0 2001:db8::2').finding).toMatch(/^answers pings/);
    expect(about(found, 'vxlan0 2001:db8::2 path MTU').finding).toBe("1500; guests' 1430 bytes and 70 around them fit");

    await switches[1].stop();
    const alone = await examine(switches[0], hosts[0].netns);
    expect(faults(alone).map(({ level, subject }) => `${level} ${subject}`)).toEqual([
      'fail vxlan0 2001:db8::2 UDP port 4789',
    ]);
  });
});

describe('a remote', () => {
  test('that does not exist, one without a listener and one without a route are told apart', async () => {
    const hosts = await twoHosts(world);
    await world.address(hosts[1], '192.0.2.3/24');
    const { switches } = await pairOn(hosts, ['192.0.2.3', '192.0.2.77', '198.51.100.1']);
    const found = await examine(switches[0], hosts[0].netns);
    const told = faults(found).filter(({ subject }) => subject.startsWith('vxlan0 '));
    expect(told.map(({ level, subject }) => `${level} ${subject}`)).toEqual([
      'fail vxlan0 192.0.2.3 UDP port 4789',
      'fail vxlan0 192.0.2.77',
      'fail vxlan0 198.51.100.1',
    ]);
    expect(told[0]?.finding).toBe('the host answers pings, but nothing listens on UDP 4789 there');
    expect(told[1]?.finding).toBe('no host has that address: nobody answers ARP for it on eth0');
    expect(told[2]?.finding).toBe('there is no route to it (ENETUNREACH)');
    for (const check of told) expect(check.remedy).not.toBe('');
    expect(about(found, 'vxlan0 192.0.2.2 UDP port 4789').level).toBe('ok');
  });

  test('that filters pings is a warning, not a fault', async () => {
    const { hosts, switches } = await pairOn(await twoHosts(world));
    await succeed(world, hosts[1].netns, ['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all']);
    const found = await examine(switches[0], hosts[0].netns);
    expect(found.ok).toBe(true);
    expect(about(found, 'vxlan0 192.0.2.2')).toMatchObject({
      level: 'warn',
      finding: 'does not answer pings: it is down, or they are filtered',
    });
  });
});

describe('a path with a smaller MTU in the middle', () => {
  const SMALL = 'guests send 1450 bytes, which are 1500 in the tunnel: the largest that fits is 1350';

  test('is found, with the router that says so', async () => {
    const { hosts } = await narrowHosts();
    const { switches } = await pairOn(hosts);
    const found = await examine(switches[0], hosts[0].netns);
    expect(about(found, 'vxlan0 10.9.2.2 path MTU')).toEqual({
      level: 'fail',
      subject: 'vxlan0 10.9.2.2 path MTU',
      finding: `1400, says 10.9.1.1; ${SMALL}`,
      remedy: 'raise the MTU on the way to 1500, or: overtap link set tap0 mtu 1350',
    });

    // What it says to do helps.
    await overtap('-s', switches[0].control, 'link', 'set', 'tap0', 'mtu', '1350');
    const mended = await examine(switches[0], hosts[0].netns);
    expect(faults(mended)).toEqual([]);
    expect(about(mended, 'vxlan0 10.9.2.2 path MTU').finding).toMatch(/^1400/);
  });

  test('is found where routers are not allowed to speak', async () => {
    const { hosts, router } = await narrowHosts();
    const rules = `table inet mute {
  chain out {
    type filter hook output priority 0;
    icmp type destination-unreachable drop
  }
}
`;
    await succeed(world, router, ['nft', '-f', world.file('mute.nft', rules)]);
    const { switches } = await pairOn(hosts);
    const found = await examine(switches[0], hosts[0].netns);
    expect(about(found, 'vxlan0 10.9.2.2').level).toBe('ok');
    expect(about(found, 'vxlan0 10.9.2.2 path MTU')).toMatchObject({ level: 'fail', finding: `1400; ${SMALL}` });
  });
});

/** What is said of UDP tunnel GSO in a namespace and with a configuration, and of nothing else. */
describe('UDP tunnel GSO', () => {
  const TUNNEL = 'UDP tunnel GSO';

  async function told(offloads: string, rules = ''): Promise<{ found: Diagnosis; findings: string[] }> {
    const hosts = await twoHosts(world);
    const guest = await makeGuest(world, 1);
    if (rules !== '') await succeed(world, hosts[0].netns, ['nft', '-f', world.file('rules.nft', rules)]);
    const bridges = plainBridge(tapPort('tap0', guest), singlePort('192.0.2.1', ['192.0.2.2'], 42));
    const sw = await world.startSwitch(hosts[0].netns, 'host1', `${bridges}offloads: ${offloads}\n`);
    const before = await world.nics(hosts[0].netns);
    const found = await examine(sw, hosts[0].netns);
    // Trying it leaves nothing behind.
    expect(await world.nics(hosts[0].netns)).toEqual(before);
    const features = found.checks.filter(({ subject }) => subject === 'kernel features');
    expect(features.map(({ level }) => level)).toEqual(features.map(() => 'ok'));
    return { found, findings: features.map(({ finding }) => finding) };
  }

  const OUTPUT = 'table inet looker {\n  chain out {\n    type filter hook output priority 0;\n  }\n}\n';

  test('is there, and used', async ({ skip }) => {
    skip(lack !== null, `no tunnel GSO here: ${lack}`);
    const { findings } = await told('{}');
    expect(findings).toEqual([expect.stringContaining(TUNNEL)]);
    expect(findings[0]).not.toContain('switched off');
  });

  test('is not used beside a firewall at output, which is no fault', async ({ skip }) => {
    skip(lack !== null, `no tunnel GSO here: ${lack}`);
    const { findings } = await told('{}', OUTPUT);
    expect(findings).toHaveLength(2);
    expect(findings[0]).not.toContain(TUNNEL);
    expect(findings[1]).toMatch(
      /^UDP tunnel GSO: not used while a firewall or IPsec .*; "tunnel_gso: true" uses it all the same$/,
    );
  });

  test('is used all the same when it is asked for', async ({ skip }) => {
    skip(lack !== null, `no tunnel GSO here: ${lack}`);
    const { findings } = await told('{ tunnel_gso: true }', OUTPUT);
    expect(findings).toEqual([expect.stringContaining(TUNNEL)]);
  });

  test('is switched off', async () => {
    const { findings } = await told('{ tunnel_gso: false }');
    expect(findings).toEqual([expect.stringMatching(/switched off by the configuration: tunnel_gso$/)]);
  });
});

describe('the own side', () => {
  test('a TAP with too large an MTU, then down', async () => {
    const { hosts, guests, switches } = await pairOn(await twoHosts(world));
    const subject = `tap0 NIC eth0 in ${guests[0].netns}`;
    await world.ip(guests[0].netns, 'link set eth0 mtu 1500');
    const large = await examine(switches[0], hosts[0].netns);
    expect(faults(large)).toEqual([
      {
        level: 'fail',
        subject,
        finding: 'MTU 1500, and the tunnel carries 1450: larger packets do not get through (mtu_exceeded)',
        remedy: `it was changed by hand; back: ip -n ${guests[0].netns} link set eth0 mtu 1450`,
      },
    ]);

    await world.ip(guests[0].netns, 'link set eth0 mtu 1450 down');
    const down = about(await examine(switches[0], hosts[0].netns), subject);
    expect(down).toMatchObject({ level: 'fail', finding: 'the device is down' });
  });

  test('a local address that was taken away', async () => {
    const { hosts, switches } = await pairOn(await twoHosts(world));
    await world.ip(hosts[0].netns, 'address add 192.0.2.9/24 dev eth0');
    await world.ip(hosts[0].netns, 'address del 192.0.2.1/24 dev eth0');
    const found = await examine(switches[0], hosts[0].netns);
    expect(about(found, 'vxlan0 local 192.0.2.1').level).toBe('fail');
    expect(about(found, 'vxlan0 192.0.2.2').finding).toBe('not examined: 192.0.2.1 is not on this host');
  });

  test('another network namespace is named, with the way there', async () => {
    const { hosts, switches } = await pairOn(await twoHosts(world));
    const found = await examine(switches[0], hosts[1].netns);
    expect(faults(found)).toEqual([
      {
        level: 'fail',
        subject: 'network namespace',
        finding: `the switch runs in "${hosts[0].netns}", so addresses, devices and remotes are not examined from here`,
        remedy: `run it there: ip netns exec ${hosts[0].netns} overtap -s ${switches[0].control} doctor`,
      },
    ]);
  });

  test('drops are told with what they mean', async () => {
    const { hosts, switches } = await pairOn(await twoHosts(world));
    await world.address(hosts[1], '192.0.2.9/24');
    // A datagram of VNI 42 from an address that is no remote.
    const send = `const s = require('dgram').createSocket('udp4');
      s.bind(0, '192.0.2.9', () => s.send(Buffer.from('0800000000002a00' + '02'.repeat(60), 'hex'), 4789, '192.0.2.1', () => s.close()));`;
    await succeed(world, hosts[1].netns, [process.execPath, '-e', send]);
    const found = await examine(switches[0], hosts[0].netns);
    expect(found.ok).toBe(true);
    expect(faults(found)).toHaveLength(1);
    expect(about(found, 'drops vtep_unknown')).toMatchObject({
      level: 'warn',
      finding: expect.stringMatching(
        /^frames from an address that is no remote, since the switch started: 1 on vxlan0; from 192\.0\.2\.9 to vxlan0 \(1 of VNI 42, at /,
      ),
    });
  });
});

describe('without a switch', () => {
  test('the exit status is 3', async () => {
    const ended = await overtap('-s', world.control('nobody'), 'doctor');
    expect({ status: ended.status, stdout: ended.stdout }).toEqual({ status: 3, stdout: '' });
    expect(ended.stderr).toMatch(/^overtap: no switch answers on .*\n$/);
  });

  test('a file is examined: what is missing on this host, and the remotes', async () => {
    const hosts = await twoHosts(world);
    const guest = await makeGuest(world, 1);
    const bridges = plainBridge(tapPort('tap0', guest), singlePort('192.0.2.1', ['192.0.2.2'], 42));
    const file = world.config('host1', bridges);
    const ended = await doctor(hosts[0].netns, 'doctor', '-c', file);
    expect(ended.status).toBe(1);
    expect(ended.stdout).toContain('ok    vxlan0 local 192.0.2.1: is an address of this host\n');
    expect(ended.stdout).toContain('ok    vxlan0 192.0.2.2 path MTU: 1500; guests may have an MTU of 1450\n');
    expect(ended.stdout).toContain('FAIL  vxlan0 192.0.2.2 UDP port 4789: the host answers pings, but nothing');
    const elsewhere = await doctor(hosts[1].netns, 'doctor', '-c', file);
    expect(elsewhere.stdout).toContain('FAIL  vxlan0 local 192.0.2.1: no device of this host has that address');
    expect(await world.nics(guest.netns)).toEqual([]);
  });

  test('a bad file or command line is refused with status 2', async () => {
    const file = world.file('bad.yaml', 'bridges: { br1: { colour: blue } }\n');
    const bad = await overtap('doctor', '-c', file);
    expect(bad.status).toBe(2);
    expect(bad.stderr).toMatch(/bad\.yaml:1:\d+: bridges\.br1\.colour: /);
    expect((await overtap('doctor', 'vxlan0')).status).toBe(2);
    expect((await overtap('doctor', '--colour')).status).toBe(2);
    expect((await overtap('doctor', '-c')).status).toBe(2);
  });
});

test('a thousand remotes are examined in time', async () => {
  const hosts = await twoHosts(world);
  const remotes = Array.from({ length: 1000 }, (_, i) => `10.20.${i >> 8}.${i & 255}`).slice(1);
  await world.ip(hosts[0].netns, 'route add 10.20.0.0/16 via 192.0.2.2');
  await world.ip(hosts[1].netns, 'route add local 10.20.0.0/17 dev lo');
  const { switches } = await pairOn(hosts, remotes);
  let told: Check[] = [];
  const left = (): Check[] => told.filter(({ level, finding }) => level !== 'ok' || finding.includes('not probed'));
  for (let time = 0; time < TRIES && (told.length !== 1000 || left().length > 0); time++) {
    if (time > 0) console.log(`once more: ${told.length} told, ${left().length} of them not all right`);
    const found = await examine(switches[0], hosts[0].netns);
    told = found.checks.filter(({ subject }) => subject.endsWith('path MTU'));
  }
  expect(told).toHaveLength(1000);
  expect(left()).toEqual([]);
});
