/** The bridge: effects of port options on forwarding. */
import { describe, expect, it } from 'vitest';
import { A, B, BROADCAST, C, frame, MULTICAST } from '../support/frames.js';
import { type TapSpec, TestSwitch } from '../support/harness.js';

const PEER = '192.0.2.2';
const tap = { type: 'tap' } as const;

function withPort(options: Partial<TapSpec>): TestSwitch {
  return new TestSwitch({
    br0: {
      ports: { t1: tap, t2: { type: 'tap', ...options }, t3: tap, vx: { type: 'vxlan', vni: 42, remotes: [PEER] } },
    },
  });
}

const KINDS = { flood: '02:00:00:00:00:99', mcast_flood: MULTICAST, bcast_flood: BROADCAST } as const;
const names = Object.keys(KINDS) as (keyof typeof KINDS)[];

describe('flood, mcast_flood, bcast_flood', () => {
  it.each(names.flatMap((off) => names.map((sent) => ({ off, sent }))))(
    '$off off, a frame of $sent',
    ({ off, sent }) => {
      const turn = withPort({ off: [off] }).send('t1', frame({ destination: KINDS[sent] }));
      expect(turn.to).toEqual(off === sent ? ['t3', `vx>${PEER}`] : ['t2', 't3', `vx>${PEER}`]);
      expect(turn.drops).toEqual([]);
    },
  );

  it.each(names)('%s off on a vxlan port: no copy for its remotes', (off) => {
    const sw = new TestSwitch({
      br0: { ports: { t1: tap, t2: tap, vx: { type: 'vxlan', vni: 42, remotes: [PEER], off: [off] } } },
    });
    expect(sw.send('t1', frame({ destination: KINDS[off] })).to).toEqual(['t2']);
  });

  it('a known MAC is not flooded, so the port gets it', () => {
    const sw = withPort({ off: ['flood', 'mcast_flood', 'bcast_flood'] });
    sw.send('t2', frame({ source: B, destination: BROADCAST }));
    expect(sw.send('t1', frame()).to).toEqual(['t2']);
  });

  it('a frame that no port may have: no_destination', () => {
    const sw = new TestSwitch({ br0: { ports: { t1: tap, t2: { type: 'tap', off: ['bcast_flood'] } } } });
    expect(sw.send('t1', frame({ destination: BROADCAST }))).toMatchObject({ to: [], drops: ['t1 no_destination'] });
    expect(sw.dropsOf('t1', 'no_destination')).toEqual([1, 0]);
  });

  it('the only port of a bridge', () => {
    const sw = new TestSwitch({ br0: { ports: { t1: tap } } });
    expect(sw.send('t1', frame({ destination: BROADCAST })).drops).toEqual(['t1 no_destination']);
  });

  it('never out of the ingress port', () => {
    for (const destination of Object.values(KINDS)) {
      for (const port of ['t1', 't2', 't3']) {
        expect(withPort({}).send(port, frame({ destination })).to).toEqual(
          ['t1', 't2', 't3', `vx>${PEER}`].filter((to) => to !== port),
        );
      }
    }
  });
});

describe('isolated', () => {
  const isolated = { type: 'tap', isolated: true } as const;
  const make = () => new TestSwitch({ br0: { ports: { i1: isolated, i2: isolated, open: tap } } });

  it('no flood between two isolated ports', () => {
    const sw = make();
    expect(sw.send('i1', frame({ destination: BROADCAST })).to).toEqual(['open']);
    expect(sw.send('open', frame({ source: B, destination: BROADCAST })).to).toEqual(['i1', 'i2']);
  });

  it('no unicast between two isolated ports: isolated_port', () => {
    const sw = make();
    sw.send('i2', frame({ source: B, destination: BROADCAST }));
    expect(sw.send('i1', frame())).toMatchObject({ to: [], drops: ['i1 isolated_port'] });
    expect(sw.send('open', frame({ source: C, destination: B })).to).toEqual(['i2']);
    expect(sw.send('i2', frame({ source: B, destination: C })).to).toEqual(['open']);
  });

  it('counts for a vxlan port too', () => {
    const sw = new TestSwitch({
      br0: { ports: { i1: isolated, open: tap, vx: { type: 'vxlan', vni: 42, remotes: [PEER], isolated: true } } },
    });
    expect(sw.send('i1', frame({ destination: BROADCAST })).to).toEqual(['open']);
    expect(sw.tunnel('vx', PEER, 42, frame({ source: B, destination: BROADCAST })).to).toEqual(['open']);
  });
});

describe('locked', () => {
  const make = () =>
    new TestSwitch({ br0: { ports: { t1: { type: 'tap', locked: true, fdb: [{ mac: A }] }, t2: tap } } });

  it('a frame whose source has no entry on the port is dropped as locked_port', () => {
    expect(make().send('t1', frame({ source: B, destination: BROADCAST }))).toMatchObject({
      to: [],
      drops: ['t1 locked_port'],
    });
  });

  it('one whose source has its entry on another port likewise, and the entry stays', () => {
    const sw = make();
    sw.send('t2', frame({ source: B, destination: BROADCAST }));
    expect(sw.send('t1', frame({ source: B, destination: BROADCAST })).drops).toEqual(['t1 locked_port']);
    expect(sw.send('t1', frame({ source: A, destination: B })).to).toEqual(['t2']);
  });

  it('one whose source has its entry there passes', () => {
    expect(make().send('t1', frame({ source: A, destination: BROADCAST })).to).toEqual(['t2']);
  });

  it('holds without learning as well', () => {
    const sw = new TestSwitch({
      br0: { ports: { t1: { type: 'tap', locked: true, off: ['learning'], fdb: [{ mac: A }] }, t2: tap } },
    });
    expect(sw.send('t1', frame({ source: B, destination: BROADCAST })).drops).toEqual(['t1 locked_port']);
    expect(sw.send('t1', frame({ source: A, destination: BROADCAST })).to).toEqual(['t2']);
  });

  it('does not keep frames from going to the port', () => {
    expect(make().send('t2', frame({ source: B, destination: A })).to).toEqual(['t1']);
    expect(make().send('t2', frame({ source: B, destination: BROADCAST })).to).toEqual(['t1']);
  });
});

describe('link-local addresses', () => {
  it.each([...Array(16).keys()].map((last) => `01:80:c2:00:00:0${last.toString(16)}`))(
    '%s is not forwarded: link_local',
    (destination) => {
      const sw = withPort({});
      expect(sw.send('t1', frame({ destination }))).toMatchObject({ to: [], drops: ['t1 link_local'] });
      expect(sw.tunnel('vx', PEER, 42, frame({ destination }))).toMatchObject({ to: [], drops: ['vx link_local'] });
    },
  );

  it.each(['01:80:c2:00:00:10', '01:80:c2:00:01:00', '01:80:c3:00:00:00', '01:80:c2:01:00:0e'])(
    '%s is multicast like any other',
    (destination) => {
      expect(withPort({}).send('t1', frame({ destination })).to).toEqual(['t2', 't3', `vx>${PEER}`]);
    },
  );
});

describe('a port that is down', () => {
  it('takes in nothing: port_down', () => {
    expect(withPort({ off: ['up'] }).send('t2', frame())).toMatchObject({ to: [], drops: ['t2 port_down'] });
  });

  it('is left out of floods', () => {
    expect(withPort({ off: ['up'] }).send('t1', frame({ destination: BROADCAST })).to).toEqual(['t3', `vx>${PEER}`]);
  });

  it('unicast to it is dropped as port_down', () => {
    const sw = withPort({ off: ['up'], fdb: [{ mac: B }] });
    expect(sw.send('t1', frame())).toMatchObject({ to: [], drops: ['t1 port_down'] });
  });

  it('a vxlan port: its datagrams are dropped as port_down', () => {
    const sw = new TestSwitch({
      br0: { ports: { t1: tap, vx: { type: 'vxlan', vni: 42, remotes: [PEER], off: ['up'] } } },
    });
    expect(sw.tunnel('vx', PEER, 42, frame())).toMatchObject({ to: [], drops: ['vx port_down'] });
    expect(sw.send('t1', frame({ destination: BROADCAST })).drops).toEqual(['t1 no_destination']);
  });
});
