/** What `npm run conformance` reads from the output of a script of the kernel's. */
import { expect, it } from 'vitest';
// @ts-expect-error -- a program of scripts/, without types
import { casesOf } from '../../scripts/selftests/cases.mjs';

const OUTPUT = `TEST: ping                                   [ OK ]
TEST: flood                                    [FAIL]
\tPacket flooded when should not
expected two remotes after fdb append\t[ OK ]
TEST: ping                                   [FAIL]
TEST: later                                    [SKIP]
\tno mausezahn
TEST: slow                                     [XFAIL]
`;

it('a name is one case, which passes when all its lines do', () => {
  expect(casesOf(OUTPUT, 1)).toEqual({
    cases: [
      { name: 'ping', result: 'differs' },
      { name: 'flood', result: 'differs', reason: 'Packet flooded when should not' },
      { name: 'expected two remotes after fdb append', result: 'passes' },
      { name: 'later', result: 'cannot run', reason: 'no mausezahn' },
      { name: 'slow', result: 'passes' },
    ],
  });
});

it('a script that does not get to its end says why', () => {
  expect(casesOf('SKIP: jq not installed\n', 4)).toEqual({ cases: [], reason: 'jq not installed' });
  expect(casesOf('', 2)).toEqual({ cases: [], reason: 'no case was run (exit status 2)' });
  expect(casesOf('TEST: one [ OK ]\n', 'late').reason).toBe('ended at the time limit');
  expect(casesOf('TEST: one [ OK ]\n', 1).reason).toBe('ended early (exit status 1)');
  expect(casesOf('TEST: one [ OK ]\n', 0).reason).toBe(undefined);
});
