/** The fault of a TAP port that has lost its NIC: it names the namespace where that is gone, and the remedy. */
import { expect, it } from 'vitest';
import { TAP } from '../../../src/control/ports/tap.js';

type LostPort = Parameters<typeof TAP.lossFault>[0];

function faultIn(netns: string | undefined, exists: boolean): string {
  const port = { config: { netns } } as unknown as LostPort;
  return TAP.lossFault(port, { netnsExists: () => exists }, 0);
}

it('names a namespace that is gone with its NIC', () => {
  expect(faultIn('ns2', false)).toBe('its network namespace ns2 is gone; create it with "ip netns add ns2"');
  expect(faultIn('/proc/7/ns/net', false)).toBe('its network namespace /proc/7/ns/net is gone');
});

it("names the device where the namespace is still there, or is the switch's own", () => {
  expect(faultIn('ns2', true)).toBe('its device is gone');
  expect(faultIn(undefined, false)).toBe('its device is gone');
});
