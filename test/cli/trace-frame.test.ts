/** The command that `overtap drops` prints explains the drop: as printed, it has the reason that the frame was dropped for. */
import { afterEach, describe, expect, it } from 'vitest';
import { frameOf } from '../../src/cli/trace-frame.js';
import type { Document } from '../../src/config/edit/tree.js';
import { MemorySwitch } from '../../src/control/memory/memory-switch.js';
import { viewDrops } from '../../src/control/views/drops.js';
import { DropReader } from '../../src/dataplane/state/drop-ring.js';
import { buildFrame } from '../../src/frames/build.js';
import { fillFrame } from '../../src/frames/fill.js';
import { parseFrame } from '../../src/frames/parse.js';
import { dropText } from '../../src/sight/drops-text.js';
import { fromHex } from '../../src/wire/bytes.js';

const DOCUMENT: Document = {
  bridges: {
    br1: {
      vlan_filtering: true,
      ports: {
        tagged: { type: 'tap', vlans: [{ vid: 10 }] },
        plain: { type: 'tap', mtu: 1500, vlans: [{ vid: 10, pvid: true, untagged: true }] },
        locked: { type: 'tap', locked: true },
        down: { type: 'tap', up: false },
        n1: { type: 'tun', addresses: ['10.0.0.20/24'], vlans: [{ vid: 10, pvid: true, untagged: true }] },
        v1: {
          type: 'vxlan',
          local: '192.0.2.1',
          vlan_tunnel: true,
          remotes: ['192.0.2.2'],
          vlans: [{ vid: 10, tunnel_info: 1010 }],
        },
      },
    },
  },
};

let sw: MemorySwitch | undefined;
afterEach(() => sw?.stop());

const HOST = 'src 02:00:00:00:00:01 dst 02:00:00:00:00:02';
const LONG_BODY = 'ip 10.0.0.1 > 10.0.0.2 udp len 1400';

/** Port, frame, its reason, and of a datagram its sender and VNI. */
const DROPS: [port: string, frame: string, reason: string, from?: string, vni?: number][] = [
  ['tagged', `${HOST} ${LONG_BODY}`, 'no_pvid'],
  ['tagged', `${HOST} vlan 20 icmp`, 'vlan_not_allowed'],
  ['plain', `src 01:00:00:00:00:01 dst 02:00:00:00:00:02 ${LONG_BODY}`, 'source_mac_invalid'],
  ['plain', `src 02:00:00:00:00:01 dst 01:80:c2:00:00:00 type 0x88cc len 46`, 'link_local'],
  ['plain', 'src 02:00:00:00:00:05 dst 02:00:00:00:00:05 icmp', 'same_port'],
  ['plain', '020000000001', 'frame_too_short'],
  ['locked', `${HOST} ${LONG_BODY}`, 'locked_port'],
  ['down', `${HOST} arp who-has 10.0.0.2`, 'port_down'],
  ['n1', 'ip 10.0.0.20 > 198.51.100.1 udp len 1000', 'no_route'],
  ['v1', `${HOST} ${LONG_BODY}`, 'vni_unknown', '192.0.2.2', 77],
  ['v1', `${HOST} icmp`, 'vtep_unknown', '192.0.2.99', 1010],
  ['v1', `${HOST} vlan 10 ${LONG_BODY}`, 'inner_vlan_tagged', '192.0.2.2', 1010],
];

const bytesOf = (frame: string): Uint8Array =>
  /^[0-9a-f]+$/.test(frame)
    ? fromHex(frame)
    : buildFrame(fillFrame(parseFrame(frame), { macOf: () => undefined })).bytes;

/** What the printed command asks for. */
async function requestOf(line: string): Promise<Parameters<MemorySwitch['trace']>[0]> {
  const [, , port, ...rest] = line.trim().split(' ');
  const at = rest.indexOf('--from');
  const words = at < 0 ? rest : rest.slice(0, at);
  const outer = at < 0 ? {} : { from: rest[at + 1], vni: Number(rest[at + 3]) };
  return { port, ...(await frameOf(words)), ...outer };
}

describe('the command of a dropped frame', () => {
  it.each(DROPS)('at %s: %s is %s', async (port, frame, reason, from, vni) => {
    sw = await MemorySwitch.start(DOCUMENT);
    const bytes = bytesOf(frame);
    if (reason === 'same_port') sw.put(port, bytes);
    if (from === undefined || vni === undefined) sw.put(port, bytes);
    else sw.putDatagram(port, { from, vni }, bytes);
    await sw.run();
    const rows = viewDrops(sw.model, new DropReader([sw.engines.context.drops.memory]), reason) ?? [];
    const line = dropText(rows[0])
      .split('\n')
      .find((one) => one.includes('overtap trace'));
    const answer = sw.trace(await requestOf(line ?? ''));
    expect(answer).toMatchObject({ port, verdict: 'dropped', reason });
    expect(answer.frame.length / 2).toBe(bytes.length);
  });
});

describe('hex digits', () => {
  it.each([
    ['02:00:00:00:00:01 0200', { frame: '0200000000010200' }],
    ['0102 len 4', { frame: '01020000' }],
    ['0102 len 2', { frame: '0102' }],
    ['arp who-has 10.0.0.1', { description: 'arp who-has 10.0.0.1' }],
    ['010', { description: '010' }],
    ['icmp len 20', { description: 'icmp len 20' }],
  ])('%s', async (text, request) => {
    expect(await frameOf(text.split(' '))).toEqual(request);
    expect(await frameOf([text])).toEqual(request);
  });

  it.each(['0102 len 1', '0102 len 65600'])('%s is refused', async (text) => {
    await expect(frameOf([text])).rejects.toThrow('give 2 (the bytes given) to 65599');
  });
});

describe('a capture file', () => {
  it.each([
    ['x.pcapng', 'x.pcapng: say which frame of the file, counted from 1, as in x.pcapng#1'],
    ['/a b/x.pcap#', '/a b/x.pcap#: say which frame of the file, counted from 1, as in /a b/x.pcap#1'],
    ['x.cap#one', 'x.cap#one: say which frame of the file, counted from 1, as in x.cap#1'],
    ['/nowhere/x.pcap#1', '/nowhere/x.pcap: there is no such file'],
  ])('%s is refused', async (text, message) => {
    await expect(frameOf([text])).rejects.toMatchObject({ message });
  });
});
