import { describe, expect, it } from 'vitest';
import { Heard, Tables } from './tables.js';
import { attributes, hear, l2, local, mac, macRoute, moved, OWN_VTEP, ribWith, unhear } from './values.js';

const R1 = '10.0.0.1';
const LOW = '192.0.2.1';
const HIGH = '192.0.2.20';
const M = mac(1);
const OWN = `2 ${OWN_VTEP}:100 ${M}`;

describe('MAC mobility (RFC 7432 section 15)', () => {
  it('announces a MAC that nobody else has without a sequence number', () => {
    const rib = ribWith();
    rib.announce([local(100, M)], []);
    const { attributes: sent } = new Heard(rib, R1).drain().get(OWN);
    expect(sent.extended.mobility).toBeUndefined();
    expect(sent.extended.encapsulation).toBe(8);
    expect(sent.nextHop).toBe(OWN_VTEP);
  });

  it('announces a MAC that another VTEP had with the next sequence number, and takes its row back', () => {
    const rib = ribWith();
    const tables = new Tables();
    hear(rib, R1, macRoute(HIGH, 100, M), attributes(HIGH, 100, moved(4)));
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${M} -> ${HIGH}`]);
    rib.announce([local(100, M)], []);
    expect(tables.drain(rib).macTexts()).toEqual([]);
    expect(new Heard(rib, R1).drain().get(OWN).attributes.extended.mobility).toEqual({ sequence: 5, sticky: false });
  });

  it('announces sequence number 1 after a route without the community', () => {
    const rib = ribWith();
    hear(rib, R1, macRoute(HIGH, 100, M), attributes(HIGH, 100));
    rib.announce([local(100, M)], []);
    expect(new Heard(rib, R1).drain().get(OWN).attributes.extended.mobility?.sequence).toBe(1);
  });

  it('withdraws its MAC when a route with a higher number comes, and tells the new row', () => {
    const rib = ribWith();
    const heard = new Heard(rib, R1);
    const tables = new Tables();
    rib.announce([local(100, M)], []);
    heard.drain();
    hear(rib, R1, macRoute(HIGH, 100, M), attributes(HIGH, 100, moved(1)));
    expect(heard.drain().texts()).not.toContain(OWN);
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${M} -> ${HIGH}`]);
    rib.announce([local(100, M)], []);
    expect(heard.drain().get(OWN).attributes.extended.mobility?.sequence).toBe(2);
  });

  it.each([
    [LOW, false],
    [HIGH, true],
  ])('breaks a tie with %s by the lower VTEP address', (remote, isOurs) => {
    const rib = ribWith();
    rib.announce([local(100, M)], []);
    hear(rib, R1, macRoute(remote, 100, M), attributes(remote, 100));
    expect(new Heard(rib, R1).drain().texts().includes(OWN)).toBe(isOurs);
    expect(new Tables().drain(rib).macs.size).toBe(isOurs ? 0 : 1);
  });

  it('compares VTEP addresses as numbers', () => {
    const rib = ribWith();
    for (const remote of ['192.0.2.100', '192.0.2.9']) {
      hear(rib, R1, macRoute(remote, 100, M), attributes(remote, 100, moved(1)));
    }
    expect(new Tables().drain(rib).macTexts()).toEqual([`100 ${M} -> 192.0.2.9`]);
  });

  it('goes back to what is left when the latest place is withdrawn', () => {
    const rib = ribWith();
    const tables = new Tables();
    hear(rib, R1, macRoute(LOW, 100, M), attributes(LOW, 100));
    hear(rib, R1, macRoute(HIGH, 100, M), attributes(HIGH, 100, moved(1)));
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${M} -> ${HIGH}`]);
    unhear(rib, R1, macRoute(HIGH, 100, M));
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${M} -> ${LOW}`]);
    unhear(rib, R1, macRoute(LOW, 100, M));
    expect(tables.drain(rib).macTexts()).toEqual([]);
  });

  it('does not let sequence numbers wrap', () => {
    const rib = ribWith();
    hear(rib, R1, macRoute(HIGH, 100, M), attributes(HIGH, 100, moved(0xffffffff)));
    rib.announce([local(100, M)], []);
    expect(new Heard(rib, R1).drain().get(OWN).attributes.extended.mobility?.sequence).toBe(0xffffffff);
  });

  it('announces addresses of a MAC with the number of the MAC', () => {
    const rib = ribWith();
    hear(rib, R1, macRoute(HIGH, 100, M, { ip: '10.1.0.5' }), attributes(HIGH, 100, moved(2)));
    rib.announce(
      [local(100, M), local(100, M, { ip: '10.1.0.5' }), local(100, M, { ip: 'fe80::5', isRouter: true })],
      [],
    );
    const heard = new Heard(rib, R1).drain();
    expect(heard.texts().filter((text) => text.startsWith('2'))).toEqual([OWN, `${OWN} 10.1.0.5`, `${OWN} fe80::5`]);
    for (const text of [OWN, `${OWN} 10.1.0.5`]) {
      expect(heard.get(text).attributes.extended).toMatchObject({ mobility: { sequence: 3, sticky: false } });
      expect(heard.get(text).attributes.extended.nd).toBeUndefined();
    }
    expect(heard.get(`${OWN} fe80::5`).attributes.extended.nd?.router).toBe(true);
    rib.withdraw([local(100, M, { ip: '10.1.0.5' })], []);
    expect(
      heard
        .drain()
        .texts()
        .filter((text) => text.startsWith('2')),
    ).toEqual([OWN, `${OWN} fe80::5`]);
  });
});

describe('pinned MACs (RFC 7432 section 15.2)', () => {
  it('prefers a sticky MAC to a higher number', () => {
    const rib = ribWith();
    hear(rib, R1, macRoute(HIGH, 100, M), attributes(HIGH, 100, moved(0, true)));
    hear(rib, R1, macRoute(LOW, 100, M), attributes(LOW, 100, moved(9)));
    const [row] = new Tables().drain(rib).macs.values();
    expect(row).toMatchObject({ remote: HIGH, sticky: true });
  });

  it('keeps an own sticky MAC against any number, and tells once who else has it', () => {
    const rib = ribWith();
    rib.announce([local(100, M, { sticky: true })], []);
    for (const sequence of [1, 2, 3]) {
      hear(rib, R1, macRoute(LOW, 100, M), attributes(LOW, 100, moved(sequence)));
    }
    expect(new Heard(rib, R1).drain().get(OWN).attributes.extended.mobility).toEqual({ sequence: 0, sticky: true });
    expect(new Tables().drain(rib).macs.size).toBe(0);
    expect(rib.events()).toEqual([{ tell: 'duplicate', vni: 100, mac: M, between: [null, LOW] }]);
    expect(rib.events()).toEqual([]);
  });

  it('does not announce a MAC that is sticky elsewhere, and tells so', () => {
    const rib = ribWith();
    hear(rib, R1, macRoute(HIGH, 100, M), attributes(HIGH, 100, moved(0, true)));
    rib.announce([local(100, M)], []);
    expect(new Heard(rib, R1).drain().texts()).not.toContain(OWN);
    expect(new Tables().drain(rib).macs.size).toBe(1);
    expect(rib.events()).toEqual([{ tell: 'duplicate', vni: 100, mac: M, between: [HIGH, null] }]);
  });

  it('lets anycast gateways have one MAC on many VTEPs: no move, no conflict', () => {
    const rib = ribWith({ duplicates: { moves: 2, seconds: 180, hold: 0 } });
    rib.announce([local(100, M, { isGateway: true }), local(100, M, { ip: '10.1.0.1', isGateway: true })], []);
    for (const vtep of [LOW, HIGH, '192.0.2.30']) {
      hear(rib, R1, macRoute(vtep, 100, M), attributes(vtep, 100, { isGateway: true }));
    }
    expect(new Tables().drain(rib).macs.size).toBe(0);
    const sent = new Heard(rib, R1).drain();
    expect(sent.get(OWN).attributes.extended).toMatchObject({ isGateway: true });
    expect(sent.get(OWN).attributes.extended.mobility).toBeUndefined();
    expect(rib.events()).toEqual([]);
    const other = ribWith({ duplicates: { moves: 2, seconds: 180, hold: 0 } });
    for (const vtep of [HIGH, '192.0.2.30', LOW]) {
      hear(other, R1, macRoute(vtep, 100, M), attributes(vtep, 100, { isGateway: true }));
    }
    const [row] = new Tables().drain(other).macs.values();
    expect(row).toMatchObject({ remote: LOW, isGateway: true });
    expect(other.events()).toEqual([]);
  });
});

describe('duplicate MACs (RFC 7432 section 15.1)', () => {
  const limits = { moves: 5, seconds: 180, hold: 30 };

  /** The MAC appears here and there, in turn. @returns sequence number of the last route of the other VTEP */
  function fight(rib: ReturnType<typeof ribWith>, rounds: number, first = 0): number {
    let sequence = first;
    for (let i = 0; i < rounds; i++) {
      rib.announce([local(100, M)], []);
      sequence += 2;
      hear(rib, R1, macRoute(HIGH, 100, M), attributes(HIGH, 100, moved(sequence)));
    }
    return sequence;
  }

  it('freezes after N moves in M seconds, tells both places, and thaws after the hold time', () => {
    const rib = ribWith({ duplicates: limits });
    rib.tick(1000);
    // Moves: to HIGH, here, to HIGH, here; the fifth, to HIGH, is not made.
    fight(rib, 3);
    expect(rib.events()).toEqual([{ tell: 'duplicate', vni: 100, mac: M, between: [null, HIGH], until: 31_000 }]);
    const heard = new Heard(rib, R1).drain();
    expect(heard.texts()).toContain(OWN);
    expect(rib.answer({ ask: 'vnis' }).vnis[0]?.duplicates).toEqual([M]);
    const tables = new Tables().drain(rib);
    expect(tables.macs.size).toBe(0);
    const { messages } = heard;
    fight(rib, 3, 10);
    expect([rib.events(), heard.drain().messages, tables.drain(rib).changes]).toEqual([[], messages, 0]);
    rib.tick(30_999);
    expect(tables.drain(rib).changes).toBe(0);
    rib.tick(31_000);
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${M} -> ${HIGH}`]);
    expect(heard.drain().texts()).not.toContain(OWN);
    expect(rib.answer({ ask: 'vnis' }).vnis[0]?.duplicates).toEqual([]);
  });

  it('does not announce a MAC that is frozen elsewhere until it is cleared', () => {
    const rib = ribWith({ duplicates: { moves: 2, seconds: 180, hold: 0 } });
    hear(rib, R1, macRoute(HIGH, 100, M), attributes(HIGH, 100));
    rib.announce([local(100, M)], []);
    hear(rib, R1, macRoute(HIGH, 100, M), attributes(HIGH, 100, moved(2)));
    expect(rib.events()).toEqual([{ tell: 'duplicate', vni: 100, mac: M, between: [null, HIGH] }]);
    rib.withdraw([local(100, M)], []);
    // Nobody here has it any more: it is where it is announced from, and stays frozen there.
    const tables = new Tables();
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${M} -> ${HIGH}`]);
    rib.announce([local(100, M)], []);
    expect(new Heard(rib, R1).drain().texts()).not.toContain(OWN);
    rib.tick(1e12);
    expect(tables.drain(rib).changes).toBe(1);
    rib.clearDuplicates(200);
    expect(tables.drain(rib).changes).toBe(1);
    rib.clearDuplicates(100, M);
    expect(tables.drain(rib).macs.size).toBe(0);
    expect(new Heard(rib, R1).drain().get(OWN).attributes.extended.mobility?.sequence).toBe(3);
  });

  it('counts moves between other VTEPs, and names them', () => {
    const rib = ribWith({ duplicates: { moves: 3, seconds: 180, hold: 0 } });
    for (let sequence = 0; sequence < 8; sequence++) {
      const vtep = sequence % 2 === 0 ? LOW : HIGH;
      hear(rib, R1, macRoute(vtep, 100, M), attributes(vtep, 100, moved(sequence)));
    }
    expect(rib.events()).toEqual([{ tell: 'duplicate', vni: 100, mac: M, between: [LOW, HIGH] }]);
    // The third move, to HIGH, is not made; a frozen MAC goes when whoever has it withdraws it.
    const tables = new Tables();
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${M} -> ${LOW}`]);
    unhear(rib, R1, macRoute(LOW, 100, M));
    expect(tables.drain(rib).macTexts()).toEqual([`100 ${M} -> ${HIGH}`]);
  });

  it('does not count slow moves, nor moves after a withdrawal, nor moves within an Ethernet segment', () => {
    const rib = ribWith({ duplicates: { moves: 3, seconds: 10, hold: 0 } });
    for (let sequence = 0; sequence < 20; sequence++) {
      rib.tick(sequence * 6000);
      const vtep = sequence % 2 === 0 ? LOW : HIGH;
      hear(rib, R1, macRoute(vtep, 100, M), attributes(vtep, 100, moved(sequence)));
    }
    for (let i = 0; i < 20; i++) {
      const vtep = i % 2 === 0 ? LOW : HIGH;
      hear(rib, R1, macRoute(vtep, 100, mac(2)), attributes(vtep, 100, moved(i)));
      unhear(rib, R1, macRoute(vtep, 100, mac(2)));
      hear(rib, R1, macRoute(vtep, 100, mac(3), { esi: '00112233445566778899' }), attributes(vtep, 100, moved(i)));
    }
    expect(rib.events()).toEqual([]);
  });

  it('remembers a bounded number of MACs', () => {
    const rib = ribWith({ duplicates: { moves: 2, seconds: 180, hold: 0 }, vnis: [l2(100)] });
    const count = 10_000;
    for (let n = 0; n < count; n++) {
      for (const [vtep, sequence] of [
        [LOW, 0],
        [HIGH, 1],
        [LOW, 2],
      ] as const) {
        hear(rib, R1, macRoute(vtep, 100, mac(n)), attributes(vtep, 100, moved(sequence)));
      }
      rib.events();
    }
    expect(rib.answer({ ask: 'vnis' }).vnis[0]?.duplicates).toHaveLength(8192);
  });
});
