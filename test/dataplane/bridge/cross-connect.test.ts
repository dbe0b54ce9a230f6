/** A cross-connect: a bridge that joins two ports as a cable does. */
import { describe, expect, it } from 'vitest';
import { A, B, BROADCAST, frame, MULTICAST } from '../support/frames.js';
import { type TapSpec, TestSwitch, type VxlanSpec } from '../support/harness.js';

const tap: TapSpec = { type: 'tap', xconnect: true };
const wire: VxlanSpec = { type: 'vxlan', vni: 42, remotes: ['192.0.2.2', '192.0.2.3'], xconnect: true };
const LINK_LOCAL = Array.from({ length: 16 }, (_, low) => `01:80:c2:00:00:0${low.toString(16)}`);

describe('a cross-connect', () => {
  it.each([...LINK_LOCAL, BROADCAST, MULTICAST, A, B])('passes a frame to %s both ways', (destination) => {
    const sw = new TestSwitch({ br0: { ports: { t1: tap, t2: tap } } });
    expect(sw.send('t1', frame({ destination }))).toMatchObject({ to: ['t2'], drops: [] });
    expect(sw.send('t2', frame({ destination }))).toMatchObject({ to: ['t1'], drops: [] });
  });

  it.each(['03:00:00:00:00:01', '00:00:00:00:00:00', BROADCAST])('passes a frame from %s', (source) => {
    const sw = new TestSwitch({ br0: { ports: { t1: tap, t2: tap } } });
    expect(sw.send('t1', frame({ source }))).toMatchObject({ to: ['t2'], drops: [] });
  });

  it('learns nothing: a MAC that has moved is no matter', () => {
    const sw = new TestSwitch({ br0: { ports: { t1: tap, t2: tap } } });
    sw.send('t2', frame({ source: B }));
    sw.send('t1', frame({ source: B }));
    expect(sw.send('t1', frame({ destination: B })).to).toEqual(['t2']);
  });

  it('has one copy for each remote of a VNI, and takes what they send', () => {
    const sw = new TestSwitch({ br0: { ports: { t1: tap, vx: wire } } });
    expect(sw.send('t1', frame({ destination: B })).to).toEqual(['vx>192.0.2.2', 'vx>192.0.2.3']);
  });

  it('drops a frame where the other end is missing, or down', () => {
    const alone = new TestSwitch({ br0: { ports: { t1: tap } } });
    expect(alone.send('t1', frame())).toMatchObject({ to: [], drops: ['t1 no_destination'] });
    const down = new TestSwitch({ br0: { ports: { t1: tap, t2: { ...tap, off: ['up'] } } } });
    expect(down.send('t1', frame())).toMatchObject({ to: [], drops: ['t1 port_down'] });
  });
});
