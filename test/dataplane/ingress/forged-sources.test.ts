/** A port with `accept_vteps: any` under datagrams from ever new sources: limits, counters, and a genuine VTEP among them. */
import { expect, it } from 'vitest';
import { MET_IN_TICK, MET_OF_PORT } from '../../../src/encap/introductions.js';
import { encodeVxlan } from '../../../src/wire/vxlan.js';
import { B, BROADCAST, frame } from '../support/frames.js';
import { TestSwitch } from '../support/harness.js';

const SOURCES = 33_000;
const BATCH = 250;
const VNI = 42;

it('33,000 sources of one frame each take what a port may have, and the rest is counted', () => {
  const sw = new TestSwitch(
    { br0: { ports: { t1: { type: 'tap' }, vx: { type: 'vxlan', vni: VNI, acceptAny: true } } } },
    { fdbCapacity: 65_536 },
  );
  const real = frame({ source: B, destination: BROADCAST });
  expect(sw.tunnel('vx', '192.0.2.1', VNI, real).to).toEqual(['t1']);
  let delivered = 0;
  let refused = 0;
  for (let sent = 0; sent < SOURCES; sent += BATCH) {
    sw.io.advance(100);
    for (let i = 0; i < BATCH; i++) {
      const number = sent + i;
      const source = `02:00:01:00:${(number >> 8).toString(16).padStart(2, '0')}:${(number & 255).toString(16).padStart(2, '0')}`;
      const address = `10.${number >> 14}.${(number >> 6) & 255}.${number & 63}`;
      sw.injectDatagram('vx', address, encodeVxlan(VNI, frame({ source, destination: BROADCAST })));
    }
    const { to, drops } = sw.turn();
    expect(to.length).toBeLessThanOrEqual(MET_IN_TICK);
    expect(drops).toEqual(Array(BATCH - to.length).fill('vx vtep_unknown'));
    delivered += to.length;
    refused += drops.length;
    // One that was known before is served all the time.
    if (sent % (BATCH * 10) === 0) expect(sw.tunnel('vx', '192.0.2.1', VNI, real).to).toEqual(['t1']);
  }
  expect(delivered).toBe(MET_OF_PORT - 1);
  expect(refused).toBe(SOURCES - delivered);
  expect(sw.context.remotes.learnedOf(sw.port('vx'))).toBe(MET_OF_PORT);
});
