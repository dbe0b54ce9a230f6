/** Every kind of port goes on in the next process: one that does not would refuse each upgrade of a switch that has it. */
import { expect, it } from 'vitest';
import { PORT_TYPES } from '../../../src/config/options/kinds.js';
import type { PortConfig } from '../../../src/config/types.js';
import { kindOf } from '../../../src/control/ports/registry.js';

it.each(PORT_TYPES)('%s: its device is given away, and gone on with', (type) => {
  const kind = kindOf({ config: { type } as PortConfig });
  expect(kind.bequeath).toBeTypeOf('function');
  expect(kind.inherit).toBeTypeOf('function');
});
