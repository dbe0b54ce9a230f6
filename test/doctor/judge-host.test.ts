import { describe, expect, it } from 'vitest';
import { type Check, formatCheck } from '../../src/doctor/check.js';
import type { HostFacts } from '../../src/doctor/host-facts.js';
import { IcmpUnavailable } from '../../src/doctor/icmp-socket.js';
import { judgeHost, judgeNamespaces, judgeSocket } from '../../src/doctor/judge-host.js';
import { expectRemedies, levels, shown } from './lines.js';

describe('the host', () => {
  const ALL = { tso: true, udpSegment: true, udpGro: true, vnetHeader: true };
  const good: HostFacts = {
    rights: { netAdmin: true, netRaw: true, initialUsers: true },
    features: { udpSegment: true, udpGro: true, vnetHeader: true, tso: true, uso: true, reasons: {} },
    rmemMax: 212_992,
    wmemMax: 212_992,
  };
  const judged = (more: Partial<HostFacts>, offloads = ALL, running = false): Check[] => {
    const checks = judgeHost({ ...good, ...more }, offloads, running);
    expectRemedies(checks);
    return checks;
  };

  it('that has everything is all right, whatever limits it may exceed', () => {
    expect(levels(judged({}))).toBe('ok ok ok ok');
  });

  it('without rights cannot start a switch; one that runs is not harmed', () => {
    const rights = { netAdmin: false, netRaw: false, initialUsers: true };
    expect(shown(judged({ rights }))[0]).toMatch(/^FAIL {2}rights: CAP_NET_ADMIN is missing/);
    expect(shown(judged({ rights }, ALL, true))[0]).toMatch(/^WARN {2}rights: CAP_NET_ADMIN is missing/);
    expect(shown(judged({ rights: { ...rights, netAdmin: true } }))[0]).toMatch(/^WARN {2}rights: CAP_NET_RAW/);
  });

  it('has limits that matter to those who cannot exceed them', () => {
    const contained = { rights: { netAdmin: true, netRaw: true, initialUsers: false }, wmemMax: 4 * 1024 * 1024 };
    expect(shown(judged(contained)).filter((line) => line.includes('net.core'))).toEqual([
      'WARN  net.core.rmem_max: 212992 bytes, and the limit cannot be exceeded from here: bursts may be lost; sysctl -w net.core.rmem_max=8388608 on the host',
      'ok    net.core.wmem_max: 4194304 bytes',
    ]);
  });

  it('without /dev/net/tun says what to do by the reason', () => {
    expect(shown(judged({ tunError: 'ENOENT' }))[1]).toMatch(
      /^FAIL {2}\/dev\/net\/tun: not usable \(ENOENT\); .*modprobe/,
    );
    expect(shown(judged({ tunError: 'EACCES' }))[1]).toMatch(
      /^FAIL {2}\/dev\/net\/tun: not usable \(EACCES\); run it as/,
    );
  });

  it('with an older kernel is slower, not broken; what is switched off is not missed', () => {
    const features = {
      ...{ udpSegment: false, udpGro: true, vnetHeader: true, tso: true, uso: false },
      reasons: { udpSegment: 'setting UDP_SEGMENT: Protocol not available' },
    };
    expect(shown(judged({ features })).slice(2, 5)).toEqual([
      'ok    kernel features: virtio-net header, TSO from TAPs, UDP_GRO',
      'WARN  kernel features: no USO from TAPs: the switch works, and is slower; Linux 6.2 has it',
      'WARN  kernel features: no UDP_SEGMENT (setting UDP_SEGMENT: Protocol not available): the switch works, and is slower; a newer kernel has it',
    ]);
    expect(shown(judged({ features }, { ...ALL, tso: false, udpSegment: false }))[2]).toBe(
      'ok    kernel features: virtio-net header, UDP_GRO; switched off by the configuration: tso, udp_segment',
    );
    // What could not be tried for want of a TAP is not called missing.
    const blind = { ...features, vnetHeader: false, tso: false };
    expect(levels(judged({ features: blind, tunError: 'ENOENT' }))).toBe('ok fail ok warn ok');
  });

  it('without the addon or the package says how to build them', () => {
    const { features: _, ...bare } = good;
    const checks = judgeHost({ ...bare, addonError: 'the native addon cannot be loaded' }, ALL, true);
    expect(shown(checks)[2]).toMatch(/^FAIL {2}kernel features: the native addon cannot be loaded/);
    const noIcmp = new IcmpUnavailable('package', "Cannot find module './build/Release/raw.node'");
    expect(shown(judged({ noIcmp })).at(-1)).toMatch(
      /^WARN {2}pings: cannot be sent \(Cannot find .*npm rebuild raw-socket/,
    );
    expect(shown(judged({ noIcmp: new IcmpUnavailable('rights', 'Operation not permitted') })).at(-1)).toMatch(
      /CAP_NET_RAW$/,
    );
  });

  it('has a control socket that is for its owner alone', () => {
    const judgedSocket = (facts: object): string =>
      formatCheck(judgeSocket({ path: '/run/s', isSocket: true, mode: 0o600, ...facts }));
    expect(judgedSocket({})).toBe('ok    control socket /run/s: mode 0600');
    expect(judgedSocket({ mode: 0o666 })).toMatch(/^WARN .* mode 0666: others .*; chmod 600 \/run\/s$/);
    expect(judgedSocket({ isSocket: false })).toMatch(/^FAIL/);
    expect(judgedSocket({ error: 'EACCES' })).toMatch(/^WARN .*EACCES/);
  });

  it('has the switch in this network namespace, or the way there is told', () => {
    expect(judgeNamespaces({ state: 'same' }, 7, '/run/s')).toEqual([]);
    expect(shown(judgeNamespaces({ state: 'other', name: 'h1' }, 7, '/run/s'))).toEqual([
      'FAIL  network namespace: the switch runs in "h1", so addresses, devices and remotes are not examined from here; run it there: ip netns exec h1 overtap -s /run/s doctor',
    ]);
    expect(shown(judgeNamespaces({ state: 'other' }, 7, '/run/s'))[0]).toContain(
      'nsenter --net=/proc/7/ns/net overtap',
    );
    expect(levels(judgeNamespaces({ state: 'unknown', code: 'EACCES' }, 7, '/run/s'))).toBe('warn');
  });
});
