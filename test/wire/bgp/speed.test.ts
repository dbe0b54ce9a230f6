/** Routes a second, as a full table from a route reflector comes. */
import { expect, it } from 'vitest';
import { Framer } from '../../../src/wire/bgp/framer.js';
import { decodeMessage } from '../../../src/wire/bgp/message.js';
import type { EvpnRoute, MacIpRoute, PathAttributes } from '../../../src/wire/bgp/route.js';
import { NO_ESI } from '../../../src/wire/bgp/route.js';
import { MESSAGE_LIMIT } from '../../../src/wire/bgp/session.js';
import { UpdateEncoder } from '../../../src/wire/bgp/update-encode.js';
import { long } from '../../long.js';

const SESSION = { fourOctetAs: true, isInternal: true, maxLength: MESSAGE_LIMIT };
const ATTRIBUTES: PathAttributes = {
  origin: 0,
  asPath: [],
  nextHop: '192.0.2.1',
  localPref: 100,
  extended: { routeTargets: ['65001:100'], encapsulation: 8, isGateway: false },
};
const COUNT = 100_000;
/** The rates of the last one are those of compiled code. */
const ROUNDS = long(3, 1);

function route(i: number): MacIpRoute {
  const mac = `02:00:${[24, 16, 8, 0].map((shift) => ((i >>> shift) & 255).toString(16).padStart(2, '0')).join(':')}`;
  return {
    type: 2,
    rd: '192.0.2.1:5',
    esi: NO_ESI,
    tag: 0,
    mac,
    ip: `10.${(i >>> 16) & 255}.${(i >>> 8) & 255}.${i & 255}`,
    label: 100,
  };
}

it('100,000 type-2 routes are encoded and decoded', () => {
  const routes = Array.from({ length: COUNT }, (_, i) => route(i));
  for (let round = 0; round < ROUNDS; round++) {
    const from = performance.now();
    const messages = new UpdateEncoder(SESSION).announce(routes, ATTRIBUTES);
    const encoded = performance.now();
    const framer = new Framer();
    const read: EvpnRoute[] = [];
    for (const message of messages) {
      framer.push(message, (whole) => {
        const decoded = decodeMessage(whole, SESSION);
        if (decoded.kind !== 'update' || decoded.result.verdict !== 'fine') throw new Error(decoded.kind);
        for (const one of decoded.result.update.announced) read.push(one);
        return true;
      });
    }
    const decoded = performance.now();
    expect(messages.every(({ length }) => length <= MESSAGE_LIMIT)).toBe(true);
    const rates = [encoded - from, decoded - encoded].map((ms) => Math.round((COUNT / ms) * 1000));
    console.log(`encoded ${rates[0]}, decoded ${rates[1]} routes/s, ${messages.length} messages`);
    expect(read).toEqual(routes);
  }
});
