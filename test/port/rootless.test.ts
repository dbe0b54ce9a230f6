import { describe, expect, test } from 'vitest';
import { refusalOf } from '../../src/port/rootless.js';

const answer = 'unshare: write failed /proc/self/uid_map: Operation not permitted';

describe('why an ordinary user has no namespaces of their own', () => {
  test.each([
    ['user/max_user_namespaces', '0', '10000'],
    ['user/max_net_namespaces', '0', '10000'],
    ['kernel/unprivileged_userns_clone', '0', '1'],
    ['kernel/apparmor_restrict_unprivileged_userns', '1', '0'],
  ])('%s is %s', (file, value, remedy) => {
    const name = file.replace('/', '.');
    const all = (one: string): string | undefined => (one === file ? value : '7');
    expect(refusalOf(answer, all)).toEqual({
      reason: `${name} is ${value} (${answer})`,
      remedy: `let root do "sysctl -w ${name}=${remedy}"`,
    });
  });

  test('no setting of the host forbids it: what surrounds the process does', () => {
    expect(refusalOf(answer, () => undefined)).toEqual({
      reason: answer,
      remedy: 'a container or sandbox has to allow user namespaces',
    });
  });
});
