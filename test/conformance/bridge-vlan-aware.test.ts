/** Cases of the kernel's bridge_vlan_aware.sh about tags of another protocol and priority tags. */
import { describe, expect, it } from 'vitest';
import { fidOf } from '../../src/dataplane/state/fid.js';
import { fromHex, toHex } from '../../src/wire/bytes.js';
import { TestSwitch } from '../dataplane/support/harness.js';

/** To a MAC without an entry, from that of H1. */
const MACS = 'deadbeef1337 02000000000a';
const REST = '0800 aaaaaaaaaaaaaaaaaa';
const OWN = [0x0200, 0x0a] as const;

function make(pvid = true): TestSwitch {
  const vlans = [pvid ? '1 pvid untagged' : '1 untagged', '3', '5'];
  return new TestSwitch({
    br0: {
      filtering: true,
      ports: { swp1: { type: 'tap', vlans }, swp2: { type: 'tap', vlans: ['1 pvid untagged'] } },
    },
  });
}

/** VLANs in which the source has an entry. */
const learned = (sw: TestSwitch): number[] =>
  [1, 3, 5].filter((vid) => sw.context.fdb.lookup(...OWN, fidOf(1, vid)) >= 0);

describe('bridge_vlan_aware.sh', () => {
  it('other_tpid: a tag of 802.1ad with VID 3 and one of 802.1Q with VID 5 in it are in the PVID', () => {
    const sw = make();
    const bytes = `${MACS} 88a80003 81000005 ${REST}`;
    const { out } = sw.send('swp1', fromHex(bytes));
    expect(out.map(({ to, frame }) => [to, toHex(frame)])).toEqual([['swp2', bytes.replaceAll(' ', '')]]);
    expect(learned(sw)).toEqual([1]);
  });

  it('8021p: a priority tag is in the PVID', () => {
    const sw = make();
    expect(sw.send('swp1', fromHex(`${MACS} 81000000 ${REST}`)).to).toEqual(['swp2']);
    expect(learned(sw)).toEqual([1]);
  });

  it.each([
    ['untagged', ''],
    ['with a priority tag', '81000000'],
    ['with a tag of the other protocol', '88a80003'],
  ])('drop_untagged: without a PVID a frame %s is dropped, and not learned', (_name, tag) => {
    const sw = make(false);
    expect(sw.send('swp1', fromHex(`${MACS} ${tag} ${REST}`)).drops).toEqual(['swp1 no_pvid']);
    expect(learned(sw)).toEqual([]);
  });
});
