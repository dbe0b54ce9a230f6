import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { closeFd, openTap as openRaw } from '../../src/native/binding.js';
import { STATUS_WORDS } from '../../src/port/packet-io.js';
import { ALL_OFFLOADS, openTap, TapError, TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, tapState } from '../../src/port/tap.js';
import { cleanUp, deleteNamespace, inside, ip, makeNamespace, makePacketIo, tapIn } from './native-testbed.js';

afterEach(cleanUp);

interface LinkRow {
  mtu: number;
  address: string;
  flags: string[];
  linkinfo?: { info_data?: { type: string; persist: boolean; multi_queue: boolean; vnet_hdr: boolean } };
}

function link(netns: string, ifname: string): LinkRow {
  return (JSON.parse(ip('-n', netns, '-d', '-j', 'link', 'show', ifname)) as LinkRow[])[0];
}

function addresses(netns: string, ifname: string): string[] {
  const rows = JSON.parse(ip('-n', netns, '-j', 'addr', 'show', ifname)) as {
    addr_info: { local: string; prefixlen: number; scope: string }[];
  }[];
  return rows[0].addr_info.filter((row) => row.scope === 'global').map((row) => `${row.local}/${row.prefixlen}`);
}

/** The thread's own namespace. */
const here = (): string => readlinkSync('/proc/thread-self/ns/net');

function failure(open: () => unknown): TapError {
  try {
    open();
  } catch (error) {
    if (error instanceof TapError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('a TAP', () => {
  test('is made in its namespace as asked, and is gone when closed', () => {
    const ns = makeNamespace({ ipv6: true });
    const home = here();
    const tap = tapIn(ns, 'tap1', {
      mac: '02:00:00:00:02:01',
      mtu: 1450,
      addresses: [
        { address: '100.0.1.2', prefix: 24 },
        { address: '100.0.1.3', prefix: 24 },
        { address: '2001:db8::2', prefix: 64 },
      ],
    });
    expect(here()).toBe(home);
    expect(tap).toMatchObject({
      ifname: 'tap1',
      mac: '02:00:00:00:02:01',
      mtu: 1450,
      vnetHeaderSize: 10,
    });
    // USO is what older kernels do not have.
    expect(tap.offload & (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)).toBe(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
    expect(ALL_OFFLOADS & tap.offload).toBe(tap.offload);
    const row = link(ns, 'tap1');
    expect(row).toMatchObject({ mtu: 1450, address: '02:00:00:00:02:01' });
    expect(row.flags).toContain('UP');
    expect(row.linkinfo?.info_data).toMatchObject({ type: 'tap', persist: false, multi_queue: true, vnet_hdr: true });
    expect(addresses(ns, 'tap1')).toEqual(['100.0.1.2/24', '100.0.1.3/24', '2001:db8::2/64']);
    expect(ip('-n', ns, '-6', 'addr', 'show', 'tap1', 'tentative')).not.toContain('2001:db8');
    expect(tap.state()).toMatchObject({ ifname: 'tap1', up: true, mtu: 1450, mac: '02:00:00:00:02:01' });
    tap.close();
    tap.close();
    expect(tap.state()).toBeNull();
    expect(ip('-n', ns, '-br', 'link')).not.toContain('tap1');
  });

  test('leaves no passing name in the namespace of the switch', () => {
    const ns = makeNamespace();
    const before = ip('-br', 'link');
    tapIn(ns, 'tap1');
    expect(ip('-br', 'link')).toBe(before);
  });

  test('can be made in the namespace of the thread itself', () => {
    const ns = makeNamespace();
    const tap = inside(ns, () => openTap({ ifname: 'tap0', up: false }));
    expect(link(ns, 'tap0').flags).not.toContain('UP');
    expect(inside(ns, () => tapState('tap0'))).toMatchObject({ up: false });
    tap.close();
    expect(tapState('tap0', ns)).toBeNull();
  });

  test('takes a new MTU', () => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1');
    expect(tap.mtu).toBe(1500);
    tap.setMtu(9000);
    expect(tap.mtu).toBe(9000);
    expect(tapState('tap1', ns)?.mtu).toBe(9000);
    tap.close();
    expect(() => tap.setMtu(1400)).toThrow('cannot change the TAP tap1: it was closed');
  });

  test('reports the offloads that the kernel accepted', () => {
    const ns = makeNamespace();
    const asked = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    expect(tapIn(ns, 'tap1', { offload: asked }).offload).toBe(asked);
    // A flag that no kernel knows costs nothing else.
    expect(tapIn(ns, 'tap2', { offload: asked | 0x40000000 }).offload).toBe(asked);
    expect(tapIn(ns, 'tap3', { offload: 0 }).offload).toBe(0);
  });
});

describe('a persistent TAP', () => {
  test('outlives its descriptor and is taken over with its addresses', () => {
    const ns = makeNamespace();
    tapIn(ns, 'tap1', { persist: true, addresses: [{ address: '100.0.1.2', prefix: 24 }] }).close();
    ip('-n', ns, 'addr', 'add', '100.0.9.9/32', 'dev', 'tap1');
    const { address } = link(ns, 'tap1');

    const again = tapIn(ns, 'tap1', { persist: true, mtu: 1400, addresses: [{ address: '100.0.1.2', prefix: 24 }] });
    expect(again.mac).toBe(address);
    expect(addresses(ns, 'tap1')).toEqual(['100.0.1.2/24', '100.0.9.9/32']);
    expect(link(ns, 'tap1').mtu).toBe(1400);
    again.close();
    expect(tapState('tap1', ns)).not.toBeNull();

    tapIn(ns, 'tap1', { persist: false }).close();
    expect(tapState('tap1', ns)).toBeNull();
  });

  test('is taken over whichever number of queues it was made with', () => {
    const ns = makeNamespace();
    ip('-n', ns, 'tuntap', 'add', 'tap1', 'mode', 'tap');
    ip('-n', ns, 'tuntap', 'add', 'tap2', 'mode', 'tap', 'multi_queue');
    tapIn(ns, 'tap1', { persist: true, multiQueue: true });
    tapIn(ns, 'tap2', { persist: true, multiQueue: false });
    expect(link(ns, 'tap1').linkinfo?.info_data?.multi_queue).toBe(false);
    expect(link(ns, 'tap2').linkinfo?.info_data?.multi_queue).toBe(true);
  });

  test('that failed to open is left as it was', () => {
    const ns = makeNamespace();
    ip('-n', ns, 'tuntap', 'add', 'tap1', 'mode', 'tap');
    // IPv6 is off in this namespace.
    const error = failure(() =>
      openTap({ netns: ns, ifname: 'tap1', addresses: [{ address: '2001:db8::1', prefix: 64 }] }),
    );
    expect(error.message).toContain('adding the address 2001:db8::1/64');
    expect(tapState('tap1', ns)).not.toBeNull();
  });
});

describe('a TAP that was taken over in a namespace', () => {
  test('is known to be gone when the namespace has lost its name', () => {
    const ns = makeNamespace();
    tapIn(ns, 'tap1', { persist: true }).close();
    const tap = tapIn(ns, 'tap1', { persist: true });
    deleteNamespace(ns);
    expect(tap.state()).toBeNull();
  });
});

describe('what cannot be opened is refused in plain words', () => {
  test.each([undefined, 'own'])('without the right to it (netns: %s)', (where) => {
    const netns = where === undefined ? {} : { netns: makeNamespace() };
    process.seteuid?.(65534);
    try {
      const error = failure(() => openTap({ ...netns, ifname: 'tap1' }));
      expect(error.message).toMatch(
        /^cannot open the TAP tap1[^:]*: (the permissions of \/dev\/net\/tun .*|opening a TAP needs root or CAP_NET_ADMIN.*|entering .*CAP_SYS_ADMIN\))$/,
      );
      expect(['EPERM', 'EACCES']).toContain(error.code);
    } finally {
      process.seteuid?.(0);
    }
  });

  test('a namespace that does not exist', () => {
    const home = here();
    const error = failure(() => openTap({ netns: 'ott-none', ifname: 'tap1' }));
    expect(error.message).toBe(
      'cannot open the TAP tap1 in netns ott-none: its network namespace does not exist; create it with "ip netns add ott-none"',
    );
    expect(error.code).toBe('ENOENT');
    expect(here()).toBe(home);
  });

  test('a file that is no namespace', () => {
    expect(failure(() => openTap({ netns: '/etc/passwd', ifname: 'tap1' })).message).toContain(
      '/etc/passwd is no network namespace',
    );
  });

  test('a name that another device has', () => {
    const ns = makeNamespace();
    ip('-n', ns, 'link', 'add', 'veth1', 'type', 'veth', 'peer', 'name', 'veth2');
    const error = failure(() => openTap({ netns: ns, ifname: 'veth1' }));
    expect(error.message).toContain('is no TAP');
    expect(error.code).toBe('EINVAL');
  });

  test.each([true, false])('a TAP that is in use (multi-queue: %s)', (multiQueue) => {
    const ns = makeNamespace();
    const first = tapIn(ns, 'tap1', { multiQueue });
    const error = failure(() => openTap({ netns: ns, ifname: 'tap1', multiQueue }));
    expect(error.message).toContain('another process has it open');
    expect(error.code).toBe('EBUSY');
    expect(first.state()).toMatchObject({ up: true });
  });

  test('a step that fails: it is named, nothing is left, the thread is back', () => {
    const ns = makeNamespace();
    const home = here();
    const error = failure(() => openTap({ netns: ns, ifname: 'tap1', mac: '01:00:00:00:00:01', persist: true }));
    expect(error.message).toMatch(/setting the MAC address of tap1: .* \(EADDRNOTAVAIL\)/);
    expect(tapState('tap1', ns)).toBeNull();
    expect(here()).toBe(home);
  });

  test('values that are none', () => {
    const base = { ifname: 'tap1', persist: false, multiQueue: true, up: true, offload: 0 };
    expect(() => openRaw({ ...base, ifname: '' })).toThrow('ifname');
    expect(() => openRaw({ ...base, ifname: 'tap%d' })).toThrow('ifname');
    expect(() => openRaw({ ...base, ifname: 'sixteen-letters-' })).toThrow('ifname');
    expect(() => openRaw({ ...base, mac: '02:00' })).toThrow('mac');
    expect(() => openRaw({ ...base, mtu: 1.5 })).toThrow('mtu');
    expect(() => openRaw({ ...base, addresses: [{ address: '1.2.3', prefix: 24 }] })).toThrow('1.2.3');
    expect(() => openRaw({ ...base, addresses: [{ address: '1.2.3.4', prefix: 33 }] })).toThrow('prefix');
    expect(() => openRaw({ ifname: 'tap1' } as Parameters<typeof openRaw>[0])).toThrow('persist');
    expect(() => closeFd(1)).toThrow('fd');
  });
});

describe('a TAP with very many names', () => {
  const ADDON = fileURLToPath(new URL('../../build/Release/overtap.node', import.meta.url));

  /** In a process of its own, which can be ended while it waits. */
  function stateOf(netns: string, ifname: string): { mtu: number } | null {
    const place = JSON.stringify({ netns: `/run/netns/${netns}`, ifname });
    const script = `console.log(JSON.stringify(require(${JSON.stringify(ADDON)}).linkState(${place})))`;
    return JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 10_000 }));
  }

  // The kernel takes 64 KB of them.
  test.each([250, 300, 1000])('has a state as any other (%i)', (names) => {
    const ns = makeNamespace();
    const tap = tapIn(ns, 'tap1', { mtu: 1400 });
    const name = (i: number): string => `${'x'.repeat(118)}-${i}`;
    const batch = Array.from({ length: names }, (_, i) => `link property add dev tap1 altname ${name(i)}\n`).join('');
    try {
      execFileSync('ip', ['-n', ns, '-batch', '-'], { input: batch, stdio: ['pipe', 'ignore', 'ignore'] });
    } catch {
      // There is no room for the last of a thousand.
      expect(names).toBe(1000);
    }
    expect(stateOf(ns, 'tap1')).toMatchObject({ mtu: 1400 });
    tap.setMtu(1300);
    expect(tap.state()).toMatchObject({ mtu: 1300, mac: tap.mac });
  });
});

describe('a TAP whose link is down', () => {
  test('is neither lost nor does it keep the wait from waiting', () => {
    const ns = makeNamespace();
    const io = makePacketIo();
    io.attachTap(0, tapIn(ns, 'tap1').fd);
    ip('-n', ns, 'link', 'set', 'tap1', 'down');
    const start = performance.now();
    expect(io.receive(100)).toBe(0);
    expect(performance.now() - start).toBeGreaterThan(90);
    expect(io.status.slice(1)).toEqual(new Int32Array(STATUS_WORDS - 1));
  });
});
