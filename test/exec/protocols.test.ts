/** Routing protocols: iproute2 names some numbers, and gives others as they are. */
import { expect, test } from 'vitest';
import { protocolCode, protocolName } from '../../src/exec/protocols.js';

test('names, numbers without a name, and what is neither', () => {
  expect([protocolCode('bgp'), protocolCode('123'), protocolCode('0'), protocolCode('nonsense')]).toEqual([
    186, 123, 0, 0,
  ]);
  expect([protocolName(11), protocolName(123)]).toEqual(['zebra', undefined]);
});
