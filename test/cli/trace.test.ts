/** A trace that goes from switch to switch, over switches in memory, and its text. */
import { afterEach, describe, expect, it } from 'vitest';
import type { TraceRequest } from '../../src/api/api.js';
import { formatTrace } from '../../src/cli/format/trace.js';
import { followTrace, type Hop, type Peer } from '../../src/cli/trace-path.js';
import type { SwitchClient } from '../../src/client/client.js';
import type { Document } from '../../src/config/edit/tree.js';
import { MemorySwitch } from '../../src/control/memory/memory-switch.js';
import { viewLinks } from '../../src/control/views/views.js';

const started: MemorySwitch[] = [];
afterEach(() => {
  for (const sw of started.splice(0)) sw.stop();
});

/** A client of a switch in memory, which counts its traces. */
class FakeClient {
  traces = 0;
  readonly socketPath = '';

  constructor(private readonly sw: MemorySwitch) {}

  async get(): Promise<unknown> {
    return viewLinks(this.sw.sources, true);
  }

  async post(_path: string, body: unknown): Promise<unknown> {
    this.traces++;
    return this.sw.trace(body as TraceRequest);
  }
}

function mesh(name: string, local: string, remotes: string[], more: object = {}): Document {
  const ports = {
    [`t-${name}`]: { type: 'tap', mac: '02:00:00:00:00:0a' },
    vx: { type: 'vxlan', id: 42, local, remotes, ...more },
  };
  return { name, bridges: { br: { ports } } };
}

async function peerOf(name: string, document: Document): Promise<{ peer: Peer; fake: FakeClient }> {
  const sw = await MemorySwitch.start(document);
  started.push(sw);
  const fake = new FakeClient(sw);
  return { peer: { name, client: fake as unknown as SwitchClient }, fake };
}

const asked = { port: 't-h1', description: 'arp who-has 10.0.0.9 tell 10.0.0.1' };

describe('a trace over several switches', () => {
  it('goes on where a copy leads to, by its remote address', async () => {
    const one = await peerOf('h1', mesh('h1', '192.0.2.1', ['192.0.2.2', '192.0.2.3', '192.0.2.4']));
    const two = await peerOf('h2', mesh('h2', '192.0.2.2', ['192.0.2.1']));
    const three = await peerOf('h3', mesh('h3', '192.0.2.3', ['192.0.2.2']));
    const trace = await followTrace(asked, one.peer.client, [two.peer, three.peer]);
    const peers = trace.copies.map(({ remote, peer }) => [
      remote,
      peer?.switch,
      peer?.trace?.verdict,
      peer?.trace?.reason,
    ]);
    expect(peers).toEqual([
      ['192.0.2.2', 'h2', 'flooded', undefined],
      ['192.0.2.3', 'h3', 'dropped', 'vtep_unknown'], // h3 does not know h1
      ['192.0.2.4', undefined, undefined, undefined],
    ]);
    expect(trace.copies[0].peer?.trace?.copies).toMatchObject([{ port: 't-h2', verdict: 'sent' }]);
    const text = formatTrace(trace).split('\n');
    expect(text).toContain('=           flooded: 3 copies');
    expect(text).toContain('--> h3 (192.0.2.3, VNI 42)');
    expect(text).toContain('    =           dropped (vtep_unknown)');
  });

  it('ends, even where switches send in circles', async () => {
    // A local port of each is a cable to the other one's tunnel: no split horizon stops it here.
    const one = await peerOf('h1', mesh('h1', '192.0.2.1', ['192.0.2.2'], { accept_vteps: 'any' }));
    const circle: Peer = { name: 'circle', client: circling(one.fake) };
    const trace = await followTrace(asked, one.peer.client, [circle]);
    let depth = 0;
    for (let hop: Hop | undefined = trace; hop !== undefined; hop = hop.copies[0]?.peer?.trace) depth++;
    expect(depth).toBe(9);
    expect(one.fake.traces).toBe(9);
  });

  it('says why it does not go on', async () => {
    const one = await peerOf('h1', mesh('h1', '192.0.2.1', ['192.0.2.2']));
    const two = await peerOf('h2', mesh('h2', '192.0.2.2', ['192.0.2.1']));
    two.fake.post = () => Promise.reject(new Error('32 traces wait already; ask again when they are answered'));
    const trace = await followTrace(asked, one.peer.client, [two.peer]);
    expect(formatTrace(trace)).toContain('--> h2 (192.0.2.2, VNI 42): not traced: 32 traces wait already');
  });
});

/** A switch at the remote's address that sends each frame on as if a guest had sent it. */
function circling(behind: FakeClient): SwitchClient {
  const links = [{ ifname: 'vx', type: 'vxlan', local: '192.0.2.2', dstport: 4789 }];
  const post = (_path: string, { frame }: TraceRequest): Promise<unknown> =>
    behind.post('', { port: 't-h1', frame, frames: true });
  return { socketPath: '', get: async () => links, post } as unknown as SwitchClient;
}
