/** Patch ports: two ports of the switch joined back to back, as by a cable between two bridges. */
import { value } from '../../values/value.js';
import { kind } from './kind.js';
import { required } from './option.js';
import { text } from './word.js';

export const patchOptions = {
  peer: required({
    value: value.netdev,
    change: 'new port',
    word: text('PORT'),
    doc: 'The patch port that this one is joined with; its `peer` must be this port. A frame that leaves by one enters by the other.',
  }),
};

export const PATCH = kind({
  options: patchOptions,
  lists: {},
  nic: 'none',
  tunnels: false,
  check(name, { given: { peer } }, portOf, report) {
    if (typeof peer !== 'string') return;
    const other = portOf(peer);
    if (peer === name) report.fault('peer', 'a port cannot be joined with itself; give the name of another patch port');
    else if (other === undefined) report.missing('peer', `there is no port "${peer}"; add it, with peer: ${name}`);
    else if (other !== null && other.type !== 'patch')
      report.fault('peer', `${peer} is a ${String(other.type)} port; give the name of a patch port`);
    else if (typeof other?.given.peer === 'string' && other.given.peer !== name)
      report.fault('peer', `${peer} is joined with ${other.given.peer}; give both ports each other as peer`);
  },
  doc:
    '`type: patch`, one of two ports that are joined back to back, as by a cable between two bridges. A frame that leaves by one ' +
    'port enters by the other with the tag that the `vlans` of the first port leave it; MTUs of both bridges follow the ' +
    'tunnels of both. Beside this key a patch port takes those of any port. In a file both ports must be there; a port that ' +
    'was added by `link add` waits, DOWN, for its peer, and again after the peer was deleted. Two pairs between the same two ' +
    'bridges are a loop, as two cables are: there is no spanning tree, broadcasts circulate (within the limits of floods), and ' +
    'MACs move back and forth.',
  example: `
bridges:
  br1:
    ports: { p1: { type: patch, peer: p2 } }
  br2:
    ports: { p2: { type: patch, peer: p1 } }`,
  command: 'link add p1 master br0 type patch peer p2',
});
