/** What wrong UPDATEs lead to: RFC 7606 attribute by attribute, and the RFC that is named. */
import { describe, expect, it } from 'vitest';
import type { SessionFormat } from '../../../src/wire/bgp/session.js';
import { fromHex, toHex } from '../../../src/wire/bytes.js';
import { EXTERNAL, judge, SESSION, updateOf } from './reading.js';

const ROUTE = '0221 0001c00002020002 00000000000000000000 00000000 30 02aa00000001 00 000064';
const REACH = `800e2c 0019 46 04 c0000202 00 ${ROUTE}`;
const ORIGIN = '400101 00';
const PATH = '400200';
const PREF = '400504 00000064';
const GOOD = `${REACH} ${ORIGIN} ${PATH} ${PREF}`;
const TWO: SessionFormat = { ...SESSION, fourOctetAs: false };

/** Verdict, routes announced and withdrawn. */
function outcome(attributes: string, session = SESSION): unknown[] {
  const result = judge(updateOf(attributes), session);
  if (result.verdict === 'reset') return ['reset', result.notification.code, result.notification.subcode];
  return [result.verdict, result.update.announced.length, result.update.withdrawn.length];
}

const FINE = ['fine', 1, 0];
const DISCARD = ['discard', 1, 0];
const WITHDRAW = ['withdraw', 0, 1];
const OPTIONAL = ['reset', 3, 9];
const LIST = ['reset', 3, 1];

describe('an UPDATE within an AS', () => {
  it.each([
    ['with all that is needed', GOOD, FINE],
    ['without ORIGIN', `${REACH} ${PATH} ${PREF}`, WITHDRAW],
    ['without AS_PATH', `${REACH} ${ORIGIN} ${PREF}`, WITHDRAW],
    ['without LOCAL_PREF', `${REACH} ${ORIGIN} ${PATH}`, WITHDRAW],
    ['ORIGIN of 2 bytes', `${REACH} 400102 0000 ${PATH} ${PREF}`, WITHDRAW],
    ['ORIGIN 3', `${REACH} 400101 03 ${PATH} ${PREF}`, WITHDRAW],
    ['ORIGIN optional', `${REACH} c00101 00 ${PATH} ${PREF}`, WITHDRAW],
    ['AS_PATH with an unknown segment', `${REACH} ${ORIGIN} 400206 0501 0000fde9 ${PREF}`, WITHDRAW],
    ['AS_PATH with an empty segment', `${REACH} ${ORIGIN} 400202 0200 ${PREF}`, WITHDRAW],
    ['AS_PATH with a segment too long', `${REACH} ${ORIGIN} 400206 0202 0000fde9 ${PREF}`, WITHDRAW],
    ['AS_PATH with a byte left', `${REACH} ${ORIGIN} 400207 0201 0000fde9 02 ${PREF}`, WITHDRAW],
    ['AS_PATH with AS 0 (RFC 7607)', `${REACH} ${ORIGIN} 400206 0201 00000000 ${PREF}`, WITHDRAW],
    ['NEXT_HOP beside MP_REACH', `${GOOD} 400304 c0000202`, FINE],
    ['NEXT_HOP of 3 bytes', `${GOOD} 400303 c00002`, WITHDRAW],
    ['MED', `${GOOD} 800404 00000001`, FINE],
    ['MED of 3 bytes', `${GOOD} 800403 000001`, WITHDRAW],
    ['LOCAL_PREF of 3 bytes', `${REACH} ${ORIGIN} ${PATH} 400503 000064`, WITHDRAW],
    ['ATOMIC_AGGREGATE', `${GOOD} 400600`, FINE],
    ['ATOMIC_AGGREGATE of 1 byte', `${GOOD} 400601 00`, DISCARD],
    ['AGGREGATOR', `${GOOD} c00708 0000fde9 c0000202`, FINE],
    ['AGGREGATOR of 6 bytes', `${GOOD} c00706 fde9 c0000202`, DISCARD],
    ['COMMUNITIES', `${GOOD} c00804 fde90001`, FINE],
    ['COMMUNITIES, none', `${GOOD} c00800`, WITHDRAW],
    ['COMMUNITIES of 5 bytes', `${GOOD} c00805 fde9000100`, WITHDRAW],
    ['ORIGINATOR_ID of 3 bytes', `${GOOD} 800903 c00002`, WITHDRAW],
    ['CLUSTER_LIST, none', `${GOOD} 800a00`, WITHDRAW],
    ['EXTENDED_COMMUNITIES of 4 bytes', `${GOOD} c01004 0002fde9`, WITHDRAW],
    ['EXTENDED_COMMUNITIES, none', `${GOOD} c01000`, WITHDRAW],
    ['EXTENDED_COMMUNITIES that nobody knows', `${GOOD} c01008 4304000000000001`, FINE],
    ['AS4_PATH between speakers of 4 bytes', `${GOOD} c01106 0201 0000fde9`, DISCARD],
    ['AS4_PATH with wrong flags', `${GOOD} 401106 0201 0000fde9`, DISCARD],
    ['AS4_AGGREGATOR of 6 bytes', `${GOOD} c01206 fde9 c0000202`, DISCARD],
    ['PMSI_TUNNEL of 4 bytes', `${GOOD} c01604 00 06 0000`, WITHDRAW],
    ['PMSI_TUNNEL whose endpoint is cut off', `${GOOD} c01607 00 06 000064 c000`, WITHDRAW],
    ['PMSI_TUNNEL of another type', `${GOOD} c01607 00 03 000064 c000`, FINE],
    ['LARGE_COMMUNITIES', `${GOOD} c0200c 0000fde9 00000001 00000002`, FINE],
    ['LARGE_COMMUNITIES of 8 bytes (RFC 8092)', `${GOOD} c02008 0000fde9 00000001`, WITHDRAW],
    ['an optional attribute that nobody knows', `${GOOD} c0fe02 0102`, FINE],
    ['a well-known attribute that nobody knows', `${GOOD} 40fe02 0102`, ['reset', 3, 2]],
    ['an attribute twice', `${GOOD} 400101 03`, DISCARD],
    ['two faults: the stronger counts', `${GOOD} 400601 00 800403 000001`, WITHDRAW],
    ['an attribute that is too long', `${GOOD} c00810 fde90001`, WITHDRAW],
    ['an attribute that is cut off', `${GOOD} c008`, WITHDRAW],
  ] as const)('%s', (_, attributes, expected) => {
    expect(outcome(attributes)).toEqual(expected);
  });
});

describe('MP_REACH_NLRI and MP_UNREACH_NLRI', () => {
  const rest = `${ORIGIN} ${PATH} ${PREF}`;
  it.each([
    ['twice', `${GOOD} ${REACH}`, LIST],
    ['of 4 bytes', `800e04 0019 46 04 ${rest}`, OPTIONAL],
    ['a next hop of 5 bytes', `800e0a 0019 46 05 c000020200 00 ${rest}`, OPTIONAL],
    ['a next hop beyond the end', `800e09 0019 46 40 c0000202 00 ${rest}`, OPTIONAL],
    ['a route beyond the end', `800e0c 0019 46 04 c0000202 00 0221 00 ${rest}`, OPTIONAL],
    ['a lone byte', `800e0a 0019 46 04 c0000202 00 02 ${rest}`, OPTIONAL],
    ['an unreach of 2 bytes', '800f02 0019', OPTIONAL],
    ['an unreach with a route beyond the end', '800f05 0019 46 0221', OPTIONAL],
    ['with wrong flags', `400e2c 0019 46 04 c0000202 00 ${ROUTE} ${rest}`, WITHDRAW],
    ['with length of 2 bytes', `900e002c 0019 46 04 c0000202 00 ${ROUTE} ${rest}`, FINE],
    ['next hop 0.0.0.0', `800e2c 0019 46 04 00000000 00 ${ROUTE} ${rest}`, WITHDRAW],
    ['next hop of multicast', `800e2c 0019 46 04 e0000001 00 ${ROUTE} ${rest}`, WITHDRAW],
    ['an IPv6 next hop', `800e38 0019 46 10 20010db8000000000000000000000001 00 ${ROUTE} ${rest}`, FINE],
    ['another family', `800e0d 0001 01 04 c0000202 00 180a0000 ${rest}`, ['fine', 0, 0]],
    ['a wrong attribute, and no routes (section 5.2)', `${ORIGIN} ${PATH} 800403 000001`, LIST],
    ['a wrong attribute to drop, and no routes', '400601 00', ['discard', 0, 0]],
  ] as const)('%s', (_, attributes, expected) => {
    expect(outcome(attributes)).toEqual(expected);
  });

  it('the NOTIFICATION has the attribute', () => {
    const result = judge(updateOf('800f02 0019'));
    expect(result.verdict === 'reset' && toHex(result.notification.data)).toBe('800f020019');
  });

  it('what is withdrawn and announced in one message is first withdrawn', () => {
    const result = judge(updateOf(`${GOOD} 800f26 0019 46 ${ROUTE}`));
    expect(result).toMatchObject({ verdict: 'fine', update: { announced: [{ type: 2 }], withdrawn: [{ type: 2 }] } });
    expect(result.verdict !== 'reset' && result.update.isEndOfRib).toBe(false);
  });
});

describe('from another AS', () => {
  const good = `${REACH} ${ORIGIN} 400206 0201 0000fdea`;
  it.each([
    ['LOCAL_PREF is not needed', good, FINE],
    ['LOCAL_PREF is dropped', `${good} ${PREF}`, DISCARD],
    ['LOCAL_PREF of a wrong length is dropped', `${good} 400503 000064`, DISCARD],
    ['ORIGINATOR_ID is dropped', `${good} 800904 c0000202`, DISCARD],
    ['CLUSTER_LIST is dropped', `${good} 800a00`, DISCARD],
    ['a confederation is not ours (RFC 5065)', `${REACH} ${ORIGIN} 400206 0301 0000fdea`, WITHDRAW],
  ] as const)('%s', (_, attributes, expected) => {
    expect(outcome(attributes, EXTERNAL)).toEqual(expected);
  });

  it('what is dropped does not count', () => {
    const result = judge(updateOf(`${good} ${PREF} 800904 c0000202`), EXTERNAL);
    if (result.verdict !== 'discard') throw new Error(result.verdict);
    expect(result.update.attributes).not.toHaveProperty('localPref');
    expect(result.update.attributes).not.toHaveProperty('originatorId');
    expect(result.faults.map(({ what }) => what)).toEqual([
      'LOCAL_PREF: comes from another AS',
      'ORIGINATOR_ID: comes from another AS',
    ]);
  });
});

describe('AS numbers of 2 bytes (RFC 6793)', () => {
  const path = (attributes: string): unknown => {
    const result = judge(updateOf(`${REACH} ${ORIGIN} ${PREF} ${attributes}`), TWO);
    return result.verdict === 'reset' ? result : result.update.attributes?.asPath;
  };
  const sequence = (...asns: number[]) => ({ kind: 'sequence', asns });

  it.each([
    ['alone', '400206 0202 fde9 5ba0', [sequence(65001, 23456)]],
    ['with AS4_PATH', '400206 0202 fde9 5ba0 c01106 0201 fa56ea00', [sequence(65001), sequence(4200000000)]],
    ['AS4_PATH is longer', '400204 0201 5ba0 c0110a 0202 fa56ea00 fa56ea01', [sequence(23456)]],
    ['AS4_PATH is malformed', '400204 0201 5ba0 c01105 0201 fa56ea', [sequence(23456)]],
    ['another speaker has aggregated', '400204 0201 5ba0 c00706 fde9 c0000202 c01106 0201 fa56ea00', [sequence(23456)]],
    ['ours is newer', '400204 0201 5ba0 c00706 5ba0 c0000202 c01106 0201 fa56ea00', [sequence(4200000000)]],
  ] as const)('%s', (_, attributes, expected) => {
    expect(path(attributes)).toEqual(expected);
  });
});

describe('fields of IPv4', () => {
  const verdict = (nlri: string, withdrawn: string): unknown => {
    const result = judge(updateOf('', nlri, withdrawn));
    return result.verdict === 'reset' ? [result.notification.code, result.notification.subcode] : result.verdict;
  };

  it.each([
    ['withdrawn routes are ignored', '', '18 0a0000 00 20 0a000001', 'fine'],
    ['a prefix of 33 bits', '', '21 0a00000000', [3, 10]],
    ['a prefix that is cut off', '', '18 0a00', [3, 10]],
    ['announced without attributes', '18 0a0000', '', 'withdraw'],
    ['an announced prefix that is cut off', '18 0a00', '', [3, 10]],
    ['an empty message: End-of-RIB of IPv4', '', '', 'fine'],
  ] as const)('%s', (_, nlri, withdrawn, expected) => {
    expect(verdict(nlri, withdrawn)).toEqual(expected);
  });

  it('the End-of-RIB of IPv4 is none of EVPN', () => {
    expect(judge(updateOf(''))).toMatchObject({ update: { isEndOfRib: false } });
    expect(judge(updateOf('800f03 0001 01'))).toMatchObject({ update: { isEndOfRib: false } });
  });

  it.each([
    ['withdrawn routes', '0100 0000'],
    ['attributes', '0000 0001'],
  ])('%s that reach past the message', (_, body) => {
    const header = `${'ff'.repeat(16)} 0017 02`;
    expect(judge(fromHex(`${header} ${body}`))).toMatchObject({
      verdict: 'reset',
      notification: { code: 3, subcode: 1 },
    });
  });
});
