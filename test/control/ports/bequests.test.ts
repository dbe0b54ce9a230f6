/** Every kind of port goes on in the next process: one that does not would refuse each upgrade of a switch that has it. */
import { expect, it } from 'vitest';
import { PORT_TYPES } from '../../../src/config/options/kinds.js';
import type { PortConfig } from '../../../src/config/types.js';
import { FACTS, NETDEV } from '../../../src/control/ports/netdev.js';
import { kindOf } from '../../../src/control/ports/registry.js';

it.each(PORT_TYPES)('%s: its device is given away, and gone on with', (type) => {
  const kind = kindOf({ config: { type } as PortConfig });
  expect(kind.bequeath).toBeTypeOf('function');
  expect(kind.inherit).toBeTypeOf('function');
});

it('netdev: a version without packet rings finds no word that it knows, and leaves the port to the former process', () => {
  const handle = { bequeath: () => ({ home: 5, silencer: true, fds: [7, 8] }) };
  const port = { device: { handle } } as unknown as Parameters<NonNullable<typeof NETDEV.bequeath>>[0];
  const { facts, fds } = NETDEV.bequeath?.(port, {} as never) ?? { facts: {}, fds: [] };
  expect(facts).toEqual({ home: 5, silenced: true });
  expect(fds).toEqual([7, 8]);
  expect(facts).not.toHaveProperty('silencer');
});

it.each([
  { home: 5, silenced: true },
  { home: 5, silencer: true },
])('netdev: %j is gone on with', (facts) => {
  expect(FACTS.parse(facts)).toEqual({ home: 5, silenced: true });
});
