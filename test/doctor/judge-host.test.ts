import { describe, expect, it } from 'vitest';
import type { OffloadConfig } from '../../src/config/types.js';
import { type Check, formatCheck } from '../../src/doctor/check.js';
import type { HostFacts } from '../../src/doctor/host-facts.js';
import { IcmpUnavailable } from '../../src/doctor/icmp-socket.js';
import { judgeHost, judgeNamespaces, judgeSocket } from '../../src/doctor/judge-host.js';
import type { SelfTest } from '../../src/port/self-test.js';
import { expectRemedies, levels, shown } from './check-lines.js';

/** What a host has besides offloads. */
const REST = {
  ...{ tap: true, multiQueue: true, persist: true, headerSize: true, deviceNetns: true },
  ...{ buffers: true, ipv6: true, netlink: true, setns: true, tcx: true, packetRing: true, flows: true },
  ...{ recvTos: true, recvTclass: true, noCheck6Rx: true, multicastAll: true, socketFilter: true, mtuDiscover: true },
  ...{
    mtuDiscover6: true,
    pathMtu: true,
    reusePort: true,
    bindToDevice: true,
    ttl: true,
    noChecksum: true,
    messages: true,
  },
};

describe('the host', () => {
  const ALL: OffloadConfig = {
    tso: true,
    udp_segment: true,
    tunnel_gso: 'auto',
    udp_gro: true,
    packet_ring: true,
    io_uring: 'auto',
    flow: 'off',
    vnet_header: true,
  };
  const good: HostFacts = {
    rights: { netAdmin: true, netRaw: true, initialUsers: true },
    features: {
      ...REST,
      ...{ udpSegment: true, udpGro: true, vnetHeader: true, tso: true, uso: true, tunnelGso: true, ioUring: true },
      reasons: {},
    },
    rmemMax: 212_992,
    wmemMax: 212_992,
    programs: { execLibrary: '/lib/overtap-exec.so', cniPlugin: '/lib/overtap-cni' },
  };
  const judged = (more: Partial<HostFacts>, offloads: OffloadConfig = ALL, running = false): Check[] => {
    const checks = judgeHost({ ...good, ...more }, offloads, running);
    expectRemedies(checks);
    return checks;
  };

  it('that has everything is all right, whatever limits it may exceed', () => {
    expect(levels(judged({}))).toBe('ok ok ok ok ok');
  });

  it('without rights cannot start a switch; one that runs is not harmed', () => {
    const rights = { netAdmin: false, netRaw: false, initialUsers: true };
    expect(shown(judged({ rights }))[0]).toMatch(/^FAIL {2}rights: CAP_NET_ADMIN is missing/);
    expect(shown(judged({ rights }, ALL, true))[0]).toMatch(/^WARN {2}rights: CAP_NET_ADMIN is missing/);
    expect(shown(judged({ rights: { ...rights, netAdmin: true } }))[0]).toMatch(/^WARN {2}rights: CAP_NET_RAW/);
  });

  it('may lack the native programs beside the addon, which no switch needs', () => {
    const found = shown(judged({ programs: {} })).filter((line) => line.startsWith('WARN'));
    expect(found).toEqual([
      expect.stringMatching(/^WARN {2}overtap exec: .*overtap-exec\.so is missing; install .*npm run build:native/),
      expect.stringMatching(/^WARN {2}CNI plugin: overtap-cni is missing; install .*npm run build:native/),
    ]);
    expect(shown(judged({}))).toContain('ok    CNI plugin: /lib/overtap-cni');
  });

  it('has limits that matter to those who cannot exceed them', () => {
    const contained = { rights: { netAdmin: true, netRaw: true, initialUsers: false }, wmemMax: 4 * 1024 * 1024 };
    expect(shown(judged(contained)).filter((line) => line.includes('net.core'))).toEqual([
      'WARN  net.core.rmem_max: 212992 bytes, and the limit cannot be exceeded from here: bursts may be lost; sysctl -w net.core.rmem_max=8388608 on the host',
      'ok    net.core.wmem_max: 4194304 bytes',
    ]);
  });

  it('says of each refusal what is done without, what that costs and what to do', () => {
    const found = { ...good.features, multiQueue: false, setns: false, reasons: { setns: 'EPERM' } } as SelfTest;
    const refused = (more: Partial<HostFacts>, running = false): string[] =>
      shown(judged({ features: found, ...more }, ALL, running)).filter((line) => line.includes('refused'));
    expect(refused({})).toEqual([
      'WARN  IFF_MULTI_QUEUE refused: done without (the kernel lacks it): one engine thread, whatever "workers" says; a kernel or sandbox with multi-queue TAPs has it',
      expect.stringMatching(/^WARN {2}setns refused: done without \(EPERM\): a NIC .*; give it CAP_SYS_ADMIN/),
    ]);
    // A switch that runs has rights of its own.
    expect(refused({ rights: { netAdmin: false, netRaw: false, initialUsers: true } }, true)).toEqual([]);
    // A sandbox may refuse what a capability allows.
    const small = { ...found, buffers: false };
    expect(shown(judged({ features: small })).filter((line) => line.includes('rmem_max'))).toHaveLength(1);
  });

  it('without /dev/net/tun says what to do by the reason', () => {
    expect(shown(judged({ tunError: 'ENOENT' }))[1]).toMatch(
      /^FAIL {2}\/dev\/net\/tun: not usable \(ENOENT\); .*modprobe/,
    );
    expect(shown(judged({ tunError: 'EACCES' }))[1]).toMatch(
      /^FAIL {2}\/dev\/net\/tun: not usable \(EACCES\); its permissions .*: run it as/,
    );
  });

  it('with an older kernel is slower, not broken; what is switched off is not missed', () => {
    const features = {
      ...REST,
      ...{ udpSegment: false, udpGro: true, vnetHeader: true, tso: true, uso: false, tunnelGso: true, ioUring: true },
      reasons: { udpSegment: 'setting UDP_SEGMENT: Protocol not available' },
    };
    expect(shown(judged({ features })).slice(2, 5)).toEqual([
      'ok    kernel features: virtio-net header, TSO from TAPs, UDP tunnel GSO, UDP_GRO, PACKET_RX_RING, io_uring',
      'WARN  kernel features: no USO from TAPs: the switch works, and is slower; Linux 6.2 has it',
      'WARN  kernel features: no UDP_SEGMENT (setting UDP_SEGMENT: Protocol not available): the switch works, and is slower; a newer kernel has it',
    ]);
    expect(shown(judged({ features }, { ...ALL, tso: false, udp_segment: false, tunnel_gso: false }))[2]).toBe(
      'ok    kernel features: virtio-net header, UDP_GRO, PACKET_RX_RING, io_uring; switched off by the configuration: tso, udp_segment, tunnel_gso',
    );
    // What could not be tried for want of a TAP is not called missing.
    const blind = { ...features, vnetHeader: false, tso: false, tunnelGso: false };
    expect(levels(judged({ features: blind, tunError: 'ENOENT' }))).toBe('ok fail ok warn ok ok');
  });

  it('without io_uring is told why; a warning is for those who asked for it', () => {
    const features: SelfTest = {
      ...REST,
      ...{ udpSegment: true, udpGro: true, vnetHeader: true, tso: true, uso: true, tunnelGso: true, ioUring: false },
      reasons: { ioUring: 'io_uring_setup: Operation not permitted' },
    };
    const lines = (io_uring: OffloadConfig['io_uring']): string =>
      shown(judged({ features }, { ...ALL, io_uring })).filter((line) => line.includes('io_uring'))[0];
    const reason = '(io_uring_setup: Operation not permitted)';
    expect(lines('auto')).toBe(`ok    kernel features: no io_uring ${reason}: a system call for each frame of a TAP`);
    expect(lines(true)).toBe(
      `WARN  kernel features: no io_uring ${reason}: the switch works, and is slower; Linux 6.4 has it`,
    );
    expect(lines(false)).toMatch(/switched off by the configuration: io_uring$/);
  });

  describe('has UDP tunnel GSO as an extra', () => {
    const REASON = 'not used while a firewall or IPsec looks at what this host sends';
    const LACK = 'TUNSETOFFLOAD: Invalid argument';
    const BESIDES = 'virtio-net header, TSO from TAPs, USO from TAPs, UDP_SEGMENT';
    const found = (tunnelGso: boolean, reason?: string): SelfTest => ({
      ...REST,
      ...{ udpSegment: true, udpGro: true, vnetHeader: true, tso: true, uso: true, tunnelGso, ioUring: true },
      reasons: reason === undefined ? {} : { tunnelGso: reason },
    });
    const lines = (features: SelfTest, tunnelGso: OffloadConfig['tunnel_gso'], more = {}): string[] =>
      shown(judged({ features, ...more }, { ...ALL, tunnel_gso: tunnelGso })).filter((line) =>
        line.includes('kernel features'),
      );
    const without = `ok    kernel features: ${BESIDES}, UDP_GRO, PACKET_RX_RING, io_uring`;
    const all = `ok    kernel features: ${BESIDES}, UDP tunnel GSO, UDP_GRO, PACKET_RX_RING, io_uring`;

    it('which is in the list when it is used', () => {
      expect(lines(found(true), 'auto')).toEqual([all]);
      expect(lines(found(true), true)).toEqual([all]);
      expect(lines(found(true, REASON), true)).toEqual([all]);
    });

    it('which is left alone, with the reason, while somebody looks at what is sent', () => {
      const told = `ok    kernel features: UDP tunnel GSO: ${REASON}; "tunnel_gso: true" uses it all the same`;
      expect(lines(found(true, REASON), 'auto')).toEqual([without, told]);
    });

    it('which is missed only by those who asked for it', () => {
      const told = (reason: string): string =>
        `ok    kernel features: no UDP tunnel GSO${reason}: TCP leaves in trains of datagrams`;
      expect(lines(found(false, LACK), 'auto')).toEqual([without, told(` (${LACK})`)]);
      expect(lines(found(false), 'auto')).toEqual([without, told('')]);
      expect(lines(found(false, LACK), true)).toEqual([
        without,
        `WARN  kernel features: no UDP tunnel GSO (${LACK}): the switch works, and is slower; Linux 6.17 has it`,
      ]);
    });

    it.each([true, false])('which is not looked for when it is switched off, present: %s', (works) => {
      const off = `${without}; switched off by the configuration: tunnel_gso`;
      expect(lines(found(works, works ? REASON : LACK), false)).toEqual([off]);
    });

    it('which nothing is known of without a TAP to try it on', () => {
      for (const wanted of ['auto', true] as const) {
        expect(lines(found(false, LACK), wanted, { tunError: 'ENOENT' })).toEqual([without]);
        const rights = { netAdmin: false, netRaw: false, initialUsers: true };
        expect(lines(found(false, LACK), wanted, { rights })).toEqual([without]);
      }
    });
  });

  it('without the addon says how to build it, and why nothing can be pinged', () => {
    const { features: _, ...bare } = good;
    const checks = judgeHost({ ...bare, addonError: 'the native addon cannot be loaded' }, ALL, true);
    expect(shown(checks)[2]).toMatch(/^FAIL {2}kernel features: the native addon cannot be loaded/);
    const noIcmp = new IcmpUnavailable('addon', "the native addon cannot be loaded (Cannot find module './x.node')");
    expect(shown(judged({ noIcmp })).at(-1)).toMatch(/^WARN {2}pings: cannot be sent \(the native addon .*see above/);
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
