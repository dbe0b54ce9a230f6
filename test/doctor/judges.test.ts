import { describe, expect, it } from 'vitest';
import type { StatsAnswer } from '../../src/api/api.js';
import { diagnosis, fail, formatSummary, ok, warn } from '../../src/doctor/check.js';
import { parseArp, type RouteFacts } from '../../src/doctor/device-facts.js';
import { judgeLink, judgeNic, judgeUnderlay } from '../../src/doctor/judge-ports.js';
import { judgeRemote, type RemoteFacts } from '../../src/doctor/judge-remotes.js';
import { judgeStats } from '../../src/doctor/judge-stats.js';
import type { NicPlan, RemotePlan, VxlanPlan } from '../../src/doctor/plan.js';
import { expectRemedies, levels, shown } from './check-lines.js';

describe('a check', () => {
  it('is a line', () => {
    const checks = [ok('a', 'fine'), warn('b', 'odd', 'look'), fail('c', 'broken', 'mend it')];
    expect(shown(checks)).toEqual(['ok    a: fine', 'WARN  b: odd; look', 'FAIL  c: broken; mend it']);
    expect(formatSummary(diagnosis(checks))).toBe('3 checks: 1 ok, 1 WARN, 1 FAIL');
    expect(formatSummary(diagnosis([ok('a', 'fine')]))).toBe('1 check: 1 ok');
    expect(diagnosis(checks).ok).toBe(false);
    expect(diagnosis(checks.slice(0, 2)).ok).toBe(true);
  });
});

const PORT: VxlanPlan = {
  ...{ name: 'vxlan0', family: 4, local: '192.0.2.1', dstport: 4789, udpcsum: true, overhead: 50 },
  ...{
    guestMtu: 1450,
    guests: ['tap0', 'tap1'],
    remotes: [{ address: '192.0.2.2', ports: [4789], heard: 0, sent: 0 }],
  },
};
const REMOTE: RemotePlan = { address: '192.0.2.2', ports: [4789], heard: 0, sent: 0 };

describe('the own end of a tunnel', () => {
  const judged = (port: Partial<VxlanPlan>, facts: Parameters<typeof judgeUnderlay>[1]): string[] => {
    const checks = judgeUnderlay({ ...PORT, ...port }, facts);
    expectRemedies(checks);
    return shown(checks);
  };

  it('needs its address on this host', () => {
    expect(judged({}, { localError: null })).toEqual(['ok    vxlan0 local 192.0.2.1: is an address of this host']);
    expect(judged({}, { localError: 'EADDRNOTAVAIL', portError: 'EADDRNOTAVAIL' })).toEqual([
      'FAIL  vxlan0 local 192.0.2.1: no device of this host has that address; add it: ip address add 192.0.2.1/PREFIX dev DEVICE',
    ]);
    expect(judged({}, { localError: null, portError: 'EADDRINUSE' })[1]).toMatch(
      /^WARN {2}vxlan0 UDP port 4789: is taken/,
    );
  });

  it('needs its device up, and for a group one that takes multicast', () => {
    const dev = { dev: 'eth0', group: '239.1.1.1', remotes: [] };
    const up = { up: true, mtu: 1500, multicast: true };
    const of = (device: typeof up | null): string | undefined => judged(dev, { localError: null, device })[1];
    expect(of(up)).toBe('ok    vxlan0 dev eth0: up, MTU 1500');
    expect(of({ ...up, up: false })).toBe('FAIL  vxlan0 dev eth0: the device is down; ip link set eth0 up');
    expect(of(null)).toMatch(/^FAIL .*there is no such device/);
    expect(of({ ...up, multicast: false })).toMatch(
      /^FAIL .*no multicast.*239\.1\.1\.1.*; ip link set eth0 multicast on$/,
    );
  });

  it('needs somewhere to flood to, and checksums over IPv6', () => {
    expect(judged({ remotes: [] }, { localError: null })[1]).toMatch(
      /^WARN {2}vxlan0: has neither a remote nor a group/,
    );
    expect(judged({ udpcsum: false }, { localError: null })[1]).toMatch(/^ok {4}vxlan0 udpcsum: off/);
    expect(judged({ udpcsum: false, family: 6 }, { localError: null })[1]).toMatch(/^WARN {2}vxlan0 udpcsum: off/);
  });
});

describe('a NIC', () => {
  const NIC: NicPlan = {
    ...{ name: 'tap0', ifname: 'eth0', netns: 'ns2', up: true, master: 'br1', configured: 'auto' },
    ...{ tunnelMtu: 1450, operstate: 'UP' },
  };
  const judged = (nic: Partial<NicPlan>, facts: Parameters<typeof judgeNic>[1]): string[] => {
    const checks = judgeNic({ ...NIC, ...nic }, facts);
    expectRemedies(checks);
    return shown(checks);
  };
  const there = (mtu: number, up = true) => ({ state: 'there', up, mtu }) as const;

  it('that fits the tunnel is all right', () => {
    expect(judged({}, there(1450))).toEqual(['ok    tap0 NIC eth0 in ns2: up, MTU 1450']);
    expect(judged({}, there(1300))).toEqual(['ok    tap0 NIC eth0 in ns2: up, MTU 1300']);
  });

  it('with too large an MTU is told how to come back', () => {
    const finding = 'MTU 1500, and the tunnel carries 1450: larger packets do not get through (mtu_exceeded)';
    expect(judged({}, there(1500))).toEqual([
      `FAIL  tap0 NIC eth0 in ns2: ${finding}; it was changed by hand; back: ip -n ns2 link set eth0 mtu 1450`,
    ]);
    expect(judged({ configured: 1500 }, there(1500))).toEqual([
      `FAIL  tap0 NIC eth0 in ns2: ${finding}; overtap link set tap0 mtu auto`,
    ]);
  });

  it('that is gone, or down, or shut is told apart', () => {
    expect(judged({ operstate: 'DOWN' }, { state: 'gone' })[0]).toMatch(/^FAIL .*the device is gone/);
    expect(judged({ operstate: 'DOWN' }, { state: 'no-netns' })[0]).toMatch(
      /^FAIL .*its network namespace does not exist; create it with "ip netns add ns2"; the port comes up by itself then$/,
    );
    expect(judged({ operstate: 'DOWN', fault: 'it is busy' }, { state: 'gone' })[0]).toMatch(
      /cannot be made: it is busy; mend that; the port comes up by itself then$/,
    );
    expect(judged({ operstate: 'DOWN' }, there(1450, false))[0]).toMatch(/; ip -n ns2 link set eth0 up$/);
    expect(judged({ operstate: 'DOWN' }, there(1450))[0]).toMatch(/^FAIL .*has lost the device/);
    expect(judged({ operstate: 'DOWN' }, undefined)[0]).toMatch(/^FAIL .*DOWN/);
    expect(judged({ operstate: 'DOWN', up: false }, there(1450))[0]).toMatch(/^WARN {2}tap0: DOWN/);
  });

  it('is not missed before a switch runs', () => {
    const { operstate: _, ...planned } = NIC;
    expect(judgeNic(planned, { state: 'gone' })).toEqual([]);
    expect(levels(judgeNic(planned, { state: 'no-netns' }))).toBe('fail');
  });

  it('has links beside it', () => {
    expect(judgeLink({ name: 'br1', type: 'bridge', up: true })).toEqual([]);
    expect(shown(judgeLink({ name: 'br1', type: 'bridge', up: true, operstate: 'UP' }))).toEqual([
      'ok    br1: bridge, UP',
    ]);
    expect(levels(judgeLink({ name: 'br1', type: 'bridge', up: false, operstate: 'DOWN' }))).toBe('warn');
    expect(levels(judgeLink({ name: 'vxlan0', type: 'vxlan', up: true, operstate: 'DOWN' }))).toBe('fail');
    const waits = {
      name: 'vxlan0',
      type: 'vxlan',
      up: true,
      operstate: 'DOWN',
      fault: 'there is no device eth9',
    } as const;
    expect(shown(judgeLink(waits))).toEqual([
      'FAIL  vxlan0: vxlan, DOWN: there is no device eth9; mend that; the port comes up by itself then',
    ]);
    const off = { name: 'vm1', type: 'qemu', up: true, operstate: 'DOWN', fault: 'nothing listens on /a yet' } as const;
    expect(shown(judgeLink(off))).toEqual([
      'WARN  vm1: qemu, DOWN: nothing listens on /a yet; start its QEMU, or mend that; the port comes up by itself then',
    ]);
  });
});

describe('a remote', () => {
  const route: RouteFacts = { state: 'found', mtu: 1500 };
  const reply = { kind: 'reply', ms: 0.234 } as const;
  const good: RemoteFacts = {
    ...{ route, own: false, path: { echo: reply, mtu: { fits: 1500, exact: true } } },
    ports: new Map([[4789, { state: 'quiet' }]]),
  };
  const judged = (facts: Partial<RemoteFacts>, port: Partial<VxlanPlan> = {}, remote: Partial<RemotePlan> = {}) => {
    const checks = judgeRemote({ ...PORT, ...port }, { ...REMOTE, ...remote }, { ...good, ...facts });
    expectRemedies(checks);
    return shown(checks);
  };

  it('that answers, and takes what guests send, is all right', () => {
    expect(judged({})).toEqual([
      'ok    vxlan0 192.0.2.2: answers pings, in 0.2 ms',
      "ok    vxlan0 192.0.2.2 path MTU: 1500; guests' 1450 bytes and 50 around them fit",
      'ok    vxlan0 192.0.2.2 UDP port 4789: open or filtered: a datagram without the I flag was not refused',
    ]);
  });

  it('without a route, or that is this host, is told in one line', () => {
    expect(judged({ route: { state: 'none', code: 'ENETUNREACH' } })[0]).toMatch(
      /^FAIL .*no route to it \(ENETUNREACH\)/,
    );
    expect(judged({ own: true })).toHaveLength(1);
    expect(judged({ route: { state: 'none', code: 'EADDRNOTAVAIL' } })[0]).toMatch(
      /^WARN .*192\.0\.2\.1 is not on this/,
    );
  });

  it('that does not answer pings may filter them', () => {
    const path = { echo: { kind: 'silent' } } as const;
    expect(judged({ path })[0]).toMatch(/^WARN .*does not answer pings: it is down, or they are filtered;/);
    expect(judged({ path }, {}, { heard: 12 })[0]).toContain('12 frames have come from it');
    expect(judged({ path })[2]).toMatch(/^WARN .*open or filtered: nothing came back/);
    const refused = new Map([[4789, { state: 'refused' }]] as const);
    expect(judged({ path, ports: refused })[0]).toMatch(/^WARN .*does not answer pings, but is there/);
  });

  it('that is not there is told by who says so', () => {
    const silent = { path: { echo: { kind: 'silent' } } } as const;
    expect(judged({ ...silent, noNeighbour: 'eth0' })).toEqual([
      'FAIL  vxlan0 192.0.2.2: no host has that address: nobody answers ARP for it on eth0; start that host, or mend the address',
    ]);
    const said = (code: number) => ({ path: { echo: { kind: 'unreachable', code, from: '10.0.0.1' } } }) as const;
    expect(judged(said(1))[0]).toMatch(/^FAIL .*cannot be reached, says 10\.0\.0\.1 \(ICMP code 1\)/);
    expect(judged(said(13))[0]).toMatch(/^WARN .*filtered, says 10\.0\.0\.1/);
    expect(judged(said(1), { family: 6 })[0]).toMatch(/^WARN/);
    expect(judged({ path: { echo: { kind: 'refused', words: 'No such device' } } })[0]).toMatch(
      /^WARN .*"No such device"/,
    );
  });

  it('with too small a path MTU is told the largest that fits', () => {
    const path = { echo: reply, mtu: { fits: 1400, exact: true, saidBy: '10.0.0.1' } };
    expect(judged({ path })[1]).toBe(
      'FAIL  vxlan0 192.0.2.2 path MTU: 1400, says 10.0.0.1; guests send 1450 bytes, which are 1500 in the tunnel: the largest that fits is 1350; raise the MTU on the way to 1500, or: overtap link set tap0 mtu 1350; overtap link set tap1 mtu 1350',
    );
    expect(
      judged(
        { path: { echo: reply, mtu: { fits: 1499, exact: true } } },
        { family: 6, overhead: 70, guestMtu: 1430 },
      )[1],
    ).toMatch(/^FAIL .*1499; .*the largest that fits is 1429/);
    expect(judged({ path: { echo: reply, mtu: { fits: 0, exact: true } } })[1]).toMatch(
      /^FAIL .*larger ones of any size/,
    );
    const many = { guests: ['a', 'b', 'c', 'd@host', 'e'] };
    expect(judged({ path }, many)[1]).toMatch(/link set c mtu 1350, and so on for 2 more$/);
  });

  it('is judged by the route where nothing was probed', () => {
    const { path: _, ...unprobed } = good;
    const checks = judgeRemote(PORT, REMOTE, { ...unprobed, route: { state: 'found', mtu: 1400 } });
    expect(shown(checks)[0]).toMatch(/^FAIL .*path MTU: 1400, by the route, not probed; guests send 1450/);
    expect(shown(judgeRemote(PORT, REMOTE, unprobed))[0]).toMatch(/^ok .*path MTU: 1500, by the route, not probed/);
  });

  it('whose path was not searched to the end is judged by what is known', () => {
    const found = (fits: number) => ({ path: { echo: reply, mtu: { fits, exact: false } } });
    expect(judged(found(1300))[1]).toMatch(/^WARN .*at least 1300; 1500 are needed/);
    expect(judged(found(1500))[1]).toMatch(/^ok .*at least 1500/);
  });

  it('may carry more than the kernel believes, or be free of demands', () => {
    expect(judged({ route: { state: 'found', mtu: 1400 } })[1]).toMatch(
      /^ok .*still reckons with 1400: ip route flush cache/,
    );
    const { guestMtu: _, ...free } = PORT;
    expect(shown(judgeRemote(free, REMOTE, good))[1]).toMatch(/path MTU: 1500; guests may have an MTU of 1450$/);
  });

  it('with a closed port says that the host is there', () => {
    const ports = new Map([[4789, { state: 'refused' }]] as const);
    expect(judged({ ports })[2]).toBe(
      'FAIL  vxlan0 192.0.2.2 UDP port 4789: the host answers pings, but nothing listens on UDP 4789 there; start the VTEP there, or set the port that it uses: overtap link set vxlan0 type vxlan dstport PORT',
    );
    expect(judged({ ports: new Map() })[2]).toMatch(/^WARN .*not tried: there was no time left/);
    expect(judged({ ports: new Map([[4789, { state: 'failed', code: 'EPERM' }]]) })[2]).toMatch(
      /^FAIL .*sent to it \(EPERM\)/,
    );
  });
});

describe('a remote that answers nothing', () => {
  const judged = (more: Partial<RemotePlan>, facts: Partial<RemoteFacts> = {}): string[] =>
    shown(
      judgeRemote(
        PORT,
        { ...REMOTE, ...more },
        { route: { state: 'found', mtu: 1500 }, own: false, ports: new Map(), ...facts },
      ),
    ).filter((line) => line.includes('nothing has come from it'));

  it('may not know this host: that is told once frames went there, and nothing came', () => {
    expect(judged({ sent: 12 })).toEqual([
      expect.stringMatching(
        /^WARN {2}vxlan0 192\.0\.2\.2: .* although 12 frames .* vtep_unknown.*; on 192\.0\.2\.2, see that remotes, peers or accept_vteps .* 192\.0\.2\.1 in$/,
      ),
    ]);
    expect(judged({ sent: 2 })).toEqual([]);
    expect(judged({ sent: 12, heard: 1 })).toEqual([]);
    expect(judged({ sent: 12 }, { ports: new Map([[4789, { state: 'refused' }]]) })).toEqual([]);
  });
});

describe('the drops', () => {
  const zero = { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0, rx_dropped: 0, tx_dropped: 0 };
  const stats = (links: Record<string, Record<string, number>>, retired: Record<string, number> = {}): StatsAnswer => ({
    links: Object.fromEntries(Object.entries(links).map(([name, drops]) => [name, { ...zero, drops }])),
    ...{ drops: {}, remotes: {}, vnis: {}, replicated: 0, retired: { ...zero, drops: retired } },
    fdb: { entries: 0, learned: 0, moved: 0, aged: 0, refused: 0 },
  });

  it('of unknown VTEPs name the addresses, and restless MACs their ports', () => {
    const times = { first: '2026-01-01T00:00:00.000Z', last: '2026-01-01T00:00:09.000Z' };
    const from = (host: number) => ({ address: `10.0.0.${host}`, port: 'vxlan0', vni: 42, count: host, ...times });
    const moves = { mac: '02:00:00:00:00:0a', master: 'br0', vlan: 2, moves: 11, ports: ['tap0', 'tap1'] };
    const lines = shown(
      judgeStats({
        ...stats({ vxlan0: { vtep_unknown: 55 } }),
        unknown_vteps: Array.from({ length: 10 }, (_, index) => from(index + 1)),
        mac_moves: [{ ...moves, last: times.last }],
      }),
    );
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/10\.0\.0\.2 to vxlan0 \(2 of VNI 42, from \S+ to \S+\), .*, and 6 more addresses; /);
    expect(lines[1]).toMatch(/^WARN {2}MAC 02:00:00:00:00:0a in VLAN 2 of br0: moved 11 times .* tap0 and tap1,/);
  });

  it('of everyday life are no fault', () => {
    expect(shown(judgeStats(stats({ tap0: { same_port: 5, mtu_exceeded: 0 } })))).toEqual([
      'ok    drops: none that tells of a fault',
    ]);
  });

  it('that tell of a fault say where, how many and what to do', () => {
    const reasons = ['checksum_bad', 'offload_invalid', 'ecn_invalid', 'vtep_unknown', 'vni_unknown'];
    const more = [
      'own_tunnel',
      'remote_unknown',
      'frame_too_long',
      'inner_vlan_tagged',
      'mtu_exceeded',
      'tx_error',
      'tx_backpressure',
    ];
    const all = Object.fromEntries([...reasons, ...more].map((reason) => [reason, 1]));
    const checks = judgeStats(stats({ vxlan0: all }));
    expectRemedies(checks);
    expect(checks.map(({ level, subject }) => `${level} ${subject}`)).toEqual(
      [...reasons, ...more].map((reason) => `warn drops ${reason}`),
    );
    const two = judgeStats(stats({ vxlan0: { vtep_unknown: 3 }, vxlan1: { vtep_unknown: 4 } }, { vtep_unknown: 5 }));
    expect(shown(two)[0]).toMatch(/3 on vxlan0, 4 on vxlan1, 5 on links that are no more; .*accept_vteps any$/);
  });
});

describe('the neighbours', () => {
  it('that did not answer ARP are those without flags', () => {
    const text = `IP address       HW type     Flags       HW address            Mask     Device
192.0.2.2        0x1         0x2         02:00:00:00:00:02     *        eth0
192.0.2.77       0x1         0x0         00:00:00:00:00:00     *        eth0
`;
    expect([...parseArp(text)]).toEqual([['192.0.2.77', 'eth0']]);
  });
});
