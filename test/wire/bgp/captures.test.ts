/** Messages of FRR and GoBGP, and what they say; ours are the same bytes where FRR leaves no choice. */
import { describe, expect, it } from 'vitest';
import { decodeMessage, encodeKeepalive, encodeRefresh } from '../../../src/wire/bgp/message.js';
import { type EvpnRoute, NO_ESI, type PathAttributes } from '../../../src/wire/bgp/route.js';
import { encodeEndOfRib, UpdateEncoder } from '../../../src/wire/bgp/update-encode.js';
import { fromHex, toHex } from '../../../src/wire/bytes.js';
import { FRR, GOBGP } from './captures.js';
import { read, SESSION, update } from './reading.js';

const RD = '192.0.2.2:2';
const mac = (text: string, ip?: string): EvpnRoute => ({
  ...{ type: 2, rd: RD, esi: NO_ESI, tag: 0, mac: text, label: 100 },
  ...(ip === undefined ? {} : { ip }),
});
const attributes: PathAttributes = {
  ...{ origin: 0, asPath: [], nextHop: '192.0.2.2', localPref: 100 },
  extended: { routeTargets: ['65001:100'], encapsulation: 8, isGateway: false },
};
const inclusive = {
  routes: [{ type: 3, rd: RD, tag: 0, origin: '192.0.2.2' }] as EvpnRoute[],
  attributes: { ...attributes, pmsi: { flags: 0, type: 6, label: 100, endpoint: '192.0.2.2' } },
};

describe('FRR says', () => {
  it('what it can', () => {
    const restart = { afi: 25, safi: 70, isForwarding: false };
    expect(read(FRR.open)).toEqual({
      kind: 'open',
      open: {
        ...{ asn: 65001, holdTime: 9, routerId: '192.0.2.2' },
        capabilities: {
          families: [{ afi: 25, safi: 70 }],
          ...{ fourOctetAs: 65001, routeRefresh: true, enhancedRefresh: true, extendedMessages: true },
          gracefulRestart: { isRestarting: true, keepsOnNotification: true, seconds: 120, families: [restart] },
          longLived: [{ afi: 25, safi: 70, isForwarding: true, seconds: 0 }],
          // Route refresh before RFC 2918, ADD-PATH, host name.
          unknown: [128, 69, 73],
        },
      },
    });
  });

  it('MACs with and without addresses', () => {
    const announced = [
      ...[mac('02:aa:00:00:00:01'), mac('62:78:cd:51:a2:22')],
      mac('5e:1c:11:fa:8e:15', 'fe80::a02c:72ff:fe6b:33ad'),
      ...[mac('02:aa:00:00:00:02'), mac('02:aa:00:00:00:01', '2001:db8::9'), mac('02:aa:00:00:00:01', '10.0.0.9')],
    ];
    expect(update(FRR.macs)).toMatchObject({ announced, attributes, withdrawn: [], others: [], malformed: 0 });
  });

  it('that a VTEP takes part', () => {
    expect(update(FRR.inclusive)).toMatchObject({ announced: inclusive.routes, attributes: inclusive.attributes });
  });

  it('that a MAC has moved', () => {
    const mobility = { sequence: 4, sticky: false };
    expect(update(FRR.moved)).toMatchObject({
      announced: [mac('02:bb:00:00:00:07')],
      attributes: { ...attributes, extended: { ...attributes.extended, mobility } },
    });
  });

  it('that a MAC is gone, without its label', () => {
    expect(update(FRR.withdrawn)).toMatchObject({
      withdrawn: [{ ...mac('02:aa:00:00:00:02'), label: 0 }],
      announced: [],
      attributes: null,
      isEndOfRib: false,
    });
  });

  it('that it has said all', () => {
    expect(update(FRR.endOfRib)).toMatchObject({ withdrawn: [], announced: [], isEndOfRib: true });
    expect(read(FRR.refreshBegins)).toEqual({ kind: 'refresh', refresh: { afi: 25, safi: 70, subtype: 1 } });
    expect(read(FRR.refreshEnds)).toEqual({ kind: 'refresh', refresh: { afi: 25, safi: 70, subtype: 2 } });
    expect(read(FRR.keepalive)).toEqual({ kind: 'keepalive' });
  });
});

describe('GoBGP says', () => {
  const gobgp = { ...attributes, origin: 2, nextHop: '192.0.2.3' };
  const routed = { ...attributes.extended, routeTargets: ['65001:5000'], routerMac: '02:ee:00:00:00:01' };

  it('what it can, all in one parameter', () => {
    expect(read(GOBGP.open)).toMatchObject({
      kind: 'open',
      open: {
        ...{ asn: 65001, holdTime: 90, routerId: '192.0.2.3' },
        // Host name, extended next hop.
        capabilities: { families: [{ afi: 25, safi: 70 }], routeRefresh: true, fourOctetAs: 65001, unknown: [73, 5] },
      },
    });
  });

  it('a MAC with its address, attributes first', () => {
    const announced = [{ ...mac('02:dd:00:00:00:01', '10.0.0.5'), rd: '192.0.2.3:7' }];
    expect(update(GOBGP.macWithAddress)).toMatchObject({ announced, attributes: gobgp });
  });

  it.each([
    ['prefix4', '10.20.0.0/16', '0.0.0.0'],
    ['prefix6', '2001:db8:20::/48', '::'],
  ] as const)('%s', (name, prefix, gateway) => {
    const route = { type: 5, rd: '192.0.2.3:8', esi: NO_ESI, tag: 0, prefix, gateway, label: 5000 };
    expect(update(GOBGP[name])).toMatchObject({ announced: [route], attributes: { ...gobgp, extended: routed } });
  });

  it.each([
    ['discovery', 1, '1.1.1.1:65000', 25],
    ['segment', 4, '192.0.2.3:9', 23],
  ] as const)('%s, which is only listed', (name, type, rd, length) => {
    const { others, announced, attributes: none } = update(GOBGP[name]);
    expect(others).toMatchObject([{ type, rd }]);
    expect(others[0].bytes).toHaveLength(length);
    expect([announced, none]).toEqual([[], null]);
  });
});

describe('we say', () => {
  const encoder = new UpdateEncoder(SESSION);

  it('the same as FRR', () => {
    const withdrawn = { ...mac('02:aa:00:00:00:02'), label: 0 } as EvpnRoute;
    expect(encoder.withdraw([withdrawn]).map(toHex)).toEqual([toHex(fromHex(FRR.withdrawn))]);
    expect(toHex(encodeEndOfRib())).toBe(toHex(fromHex(FRR.endOfRib)));
    expect(toHex(encodeKeepalive())).toBe(toHex(fromHex(FRR.keepalive)));
    expect(toHex(encodeRefresh({ afi: 25, safi: 70, subtype: 1 }))).toBe(toHex(fromHex(FRR.refreshBegins)));
  });

  it('what we have read', () => {
    const [message] = encoder.announce(inclusive.routes, inclusive.attributes);
    expect(decodeMessage(message, SESSION)).toEqual(read(FRR.inclusive));
  });
});
