/** Which capabilities a switch keeps. */
import { describe, expect, it } from 'vitest';
import { neededCapabilities } from '../../../src/control/daemon/rights.js';
import { CAPABILITIES } from '../../../src/port/capabilities.js';

type Asked = Parameters<typeof neededCapabilities>[0];

const PLAIN: Asked = { control: '/run/overtap/a.sock', bridges: [], ports: [] } as unknown as Asked;
const names = (config: Asked, isRoot: boolean): (string | undefined)[] =>
  neededCapabilities(config, isRoot).map((number) => CAPABILITIES[number]);

describe('rights of other users', () => {
  it.each([
    ['an ordinary user without containers', PLAIN, false, false],
    ['root', PLAIN, true, true],
    ['an ordinary user with cni', { ...PLAIN, cni: { bridge: 'br1' } } as Asked, false, true],
    ['an ordinary user with docker', { ...PLAIN, docker: { bridge: 'br1' } } as Asked, false, true],
  ])('%s', (_, config, isRoot, has) => {
    for (const name of ['DAC_READ_SEARCH', 'SYS_PTRACE']) expect(names(config, isRoot).includes(name), name).toBe(has);
  });
});
