/** A plan or state that another program would send: what does not have the known shape is refused as a whole. */
import { describe, expect, it } from 'vitest';
import { NAMES, PLAN, STATE } from '../../../src/control/handover/estate.js';

const TRAFFIC = { rx_packets: 1, rx_bytes: 60, tx_packets: 0, tx_bytes: 0 };
const ACCOUNT = { traffic: TRAFFIC, rx: { vlan: 3 }, tx: {} };
const plan = {
  protocol: 1,
  name: 'host1',
  document: { bridges: {} },
  entries: [{ mac: '02:00:00:00:00:01', port: 'tap0', vlan: 0, state: 'static', sticky: false, extern_learn: false }],
  tables: { neigh: [], mdb: [] },
  mode: {
    offloads: {
      vnet_header: true,
      tso: true,
      udp_segment: true,
      tunnel_gso: 'auto',
      udp_gro: true,
      packet_ring: true,
      io_uring: true,
      flow: 'auto',
    },
    workers: 1,
  },
  ports: [
    ['tap0', { facts: { mtu: 1450 }, fds: 1 }],
    ['tap1', { absent: 'its device is gone' }],
  ],
  peers: [],
  routes: [],
  logLevel: 'info',
};
const names = {
  bridges: [[1, 'br0']],
  ports: [[0, 'tap0']],
  remotes: [{ index: 1, port: 'vx', address: '192.0.2.1', udpPort: 4789 }],
  groups: [{ index: 2, port: 'vx', nhid: 10 }],
};
const state = {
  counts: {
    ports: [['tap0', ACCOUNT]],
    retired: ACCOUNT,
    replicated: 0,
    tunnelled: 0,
    remotes: [[1, TRAFFIC]],
    vnis: [],
    losses: [],
    vlans: [['tap0', 5, TRAFFIC]],
    fdb: [0, 1, 2, 3, 4, 5],
  },
  groups: [
    {
      bridge: 1,
      vid: 0,
      groups: [{ address: [0, 0, 65535, -285212415], members: [[0, 1000.5]] }],
      routers: [[0, 5]],
      queriers: [{ family: 4, source: [0, 0, 65535, 1], left: 1, settled: -2 }],
    },
  ],
  loops: [{ bridge: 'br0', port: 'tap0', with: 'vx', vid: 5, since: 1_700_000_000_000 }],
  trees: [
    {
      bridge: 'br0',
      id: '8000020000000001',
      isRapid: true,
      ports: [{ port: 'tap0', number: 1, isGuarded: false, kept: { role: 'root', fdWhile: 0 } }],
    },
  ],
  remotes: [
    {
      key: '192.0.2.1 192.0.2.2',
      state: 'up',
      session: {
        ...{ my: 0x8000_0001, your: 7, remoteDesiredTx: 100_000, remoteMinRx: 50_000 },
        ...{ state: 3, remoteState: 3, diag: 0, remoteMult: 3, pathMtu: 1400 },
        ...{ flaps: 4, damped: 2000 },
      },
    },
  ],
  heldAt: 12.5,
};

describe('the plan of an earlier version', () => {
  it('does not say the offloads that it had none of: they are off', () => {
    const { packet_ring: _, io_uring: __, flow: ___, ...offloads } = plan.mode.offloads;
    const earlier = { ...plan, mode: { ...plan.mode, offloads } };
    expect(PLAN.parse(earlier).mode.offloads).toEqual({
      ...offloads,
      packet_ring: false,
      io_uring: false,
      flow: 'off',
    });
  });
});

describe('an estate', () => {
  it('is read as it was written', () => {
    expect(PLAN.parse(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
    expect(NAMES.parse(JSON.parse(JSON.stringify(names)))).toEqual(names);
    expect(STATE.parse(JSON.parse(JSON.stringify(state)))).toEqual(state);
  });

  it.each([
    ['another version', { ...plan, protocol: 2 }],
    ['no workers', { ...plan, mode: { ...plan.mode, workers: 0 } }],
    ['too many descriptors', { ...plan, ports: [['tap0', { facts: {}, fds: 5000 }]] }],
    ['half a descriptor', { ...plan, ports: [['tap0', { facts: {}, fds: 0.5 }]] }],
    ['an entry in an unknown state', { ...plan, entries: [{ ...plan.entries[0], state: 'new' }] }],
    ['no tables', { ...plan, tables: null }],
  ])('is refused with %s', (_, value) => {
    expect(PLAN.safeParse(value).success).toBe(false);
  });

  it('is refused with impossible counts, indexes or addresses', () => {
    const counts = (more: object): unknown => ({ ...state, counts: { ...state.counts, ...more } });
    expect(STATE.safeParse(counts({ replicated: -1 })).success).toBe(false);
    expect(STATE.safeParse(counts({ fdb: [Number.NaN] })).success).toBe(false);
    expect(STATE.safeParse(counts({ remotes: [[-1, TRAFFIC]] })).success).toBe(false);
    expect(STATE.safeParse({ ...state, groups: [{ ...state.groups[0], vid: 4096 }] }).success).toBe(false);
    expect(NAMES.safeParse({ ...names, ports: [[2 ** 32, 'tap0']] }).success).toBe(false);
    expect(NAMES.safeParse({ ...names, remotes: [{ ...names.remotes[0], udpPort: 0 }] }).success).toBe(false);
  });

  it('of a version that does not count deaths of BFD sessions has none', () => {
    const [{ session, ...remote }] = state.remotes as [(typeof state.remotes)[0]];
    const { flaps: _, damped: __, ...older } = session;
    const read = STATE.parse({ ...state, remotes: [{ ...remote, session: older }] });
    expect(read.remotes[0]?.session).toMatchObject({ flaps: 0, damped: 0, pathMtu: 1400 });
  });
});
