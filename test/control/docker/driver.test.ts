/**
 * The driver over a document with the rules of a file: what Docker asks becomes links and records, twice as well as once, and a
 * failure of either leaves both as they were.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Document } from '../../../src/config/edit/tree.js';
import { checkDocument } from '../../../src/config/load.js';
import { ChangeRefused } from '../../../src/control/controls.js';
import { DockerDriver } from '../../../src/control/docker/driver.js';
import { Attachments } from '../../../src/control/containers/attachments.js';
import { filesOf } from '../../../src/control/containers/service.js';
import { Records, RecordsError } from '../../../src/control/containers/records.js';

const NETWORK = '1'.repeat(64);
const OTHER = '2'.repeat(64);
const ENDPOINT = `abcdef012345${'0'.repeat(52)}`;
const PORT = 'dkabcdef012345';
const SANDBOX = '/run/docker/netns/0123456789ab';

const FILE: Document = {
  bridges: {
    br1: {
      vlan_filtering: true,
      ports: {
        tap0: { type: 'tap', vlans: [{ vid: 2, pvid: true, untagged: true }] },
        vxlan0: { type: 'vxlan', local: '192.0.2.1', vlan_tunnel: true, vlans: [{ vid: 30, tunnel_info: 300 }] },
      },
    },
  },
};
const PLAIN: Document = { bridges: { br1: { ports: { vx: { type: 'vxlan', local: '192.0.2.1', id: 42 } } } } };

/** Changes are checked as the switch does it; devices are not opened. */
class Links {
  refuses = false;
  constructor(public document: Document) {}

  get config() {
    return checkDocument(this.document, { hostname: () => 'h', netnsExists: () => true }).config;
  }

  async revise(change: (document: Document) => Document): Promise<void> {
    if (this.refuses) throw new ChangeRefused('no room', 'full');
    const next = change(this.document);
    checkDocument(next, { hostname: () => 'h', netnsExists: () => true });
    this.document = next;
  }

  hasNic(port: string): boolean {
    return JSON.stringify(this.document).includes(`"${port}":`);
  }

  port(name: string): Record<string, unknown> | undefined {
    const { br1 } = this.document.bridges as { br1: { ports: Record<string, Record<string, unknown>> } };
    return br1.ports[name];
  }
}

let folder: string;
let links: Links;
let records: Records;
let attachments: Attachments;
let driver: DockerDriver;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'overtap-docker-'));
  await begin(FILE);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = (): string => join(folder, 'docker.json');

async function begin(document: Document): Promise<void> {
  links = new Links(document);
  records = await Records.open(path(), 'docker.state');
  attachments = new Attachments('dk', links, records, { info: () => undefined, warn: () => undefined }, false);
  driver = new DockerDriver('br1', attachments);
}

const ask = (method: string, body: object = {}) => driver.answer(`NetworkDriver.${method}`, body);
const ids = { NetworkID: NETWORK, EndpointID: ENDPOINT };

function createNetwork(options: Record<string, string> = {}, NetworkID = NETWORK) {
  const Options = { 'com.docker.network.generic': options };
  return ask('CreateNetwork', { NetworkID, Options, IPv4Data: [{ Gateway: '10.7.0.1/24', Pool: '10.7.0.0/24' }] });
}

const createEndpoint = () => ask('CreateEndpoint', { ...ids, Interface: { Address: '10.7.0.9/24' } });
const joinIt = () => ask('Join', { ...ids, SandboxKey: SANDBOX });

describe('networks', () => {
  test('get the lowest free VLAN, and their VNI on the vxlan port', async () => {
    await createNetwork({ vni: '100', remotes: '192.0.2.2' });
    await createNetwork({}, OTHER);
    expect(links.port('vxlan0')?.vlans).toEqual([
      { vid: 30, tunnel_info: 300 },
      { vid: 3, tunnel_info: 100, remotes: ['192.0.2.2'] },
    ]);
    expect(records.network(OTHER)).toMatchObject({ vlan: 4 });
  });

  test('a VNI of the configuration stays there when the network goes', async () => {
    await createNetwork({ vni: '300' });
    expect(records.network(NETWORK)).toMatchObject({ vlan: 30, vni: 300 });
    await ask('DeleteNetwork', { NetworkID: NETWORK });
    expect(links.document).toEqual(FILE);
  });

  test.each([{}, { vni: '300' }, { vni: '100' }])('two networks never share a VLAN: %j', async (options) => {
    await createNetwork({ vlan: '30' });
    const asked = { vlan: '30', ...options };
    await expect(createNetwork(asked, OTHER)).rejects.toThrow('another network of containers has VLAN 30');
    expect(records.network(OTHER)).toBeUndefined();
  });

  test.each([
    [{ vni: '300', vlan: '5' }, 'VNI 300 is VLAN 30 in the configuration'],
    [{ vni: '300', remotes: '192.0.2.2' }, 'VNI 300 is in the configuration'],
    [{ vni: '100', vlan: '30' }, 'VLAN 30 is on port vxlan0 already'],
    [{ vni: '100', port: 'vxlan9' }, 'no vxlan port vxlan9'],
    [{ gateway: '10.7.0.2' }, 'option gateway'],
  ])('%j is refused: %s', async (options, message) => {
    await expect(createNetwork(options)).rejects.toThrow(message);
    expect(links.document).toBe(FILE);
    expect(existsSync(path())).toBe(false);
  });

  test('a bridge without VLANs is one network', async () => {
    await begin(PLAIN);
    await expect(createNetwork({ vni: '43' })).rejects.toThrow('no vxlan port with id 43');
    await createNetwork({ vni: '42' });
    await expect(createNetwork({}, OTHER)).rejects.toThrow('it is one network');
    await createEndpoint();
    await joinIt();
    expect(links.port(PORT)).toEqual({ type: 'tap', ifname: PORT, mac: '02:42:0a:07:00:09', persist: true });
  });
});

describe('endpoints', () => {
  test('come and go, each step twice', async () => {
    await createNetwork();
    await createNetwork();
    expect(await createEndpoint()).toEqual({ Interface: { MacAddress: '02:42:0a:07:00:09' } });
    expect(await createEndpoint()).toEqual({ Interface: { MacAddress: '02:42:0a:07:00:09' } });
    const joined = {
      InterfaceName: { SrcName: PORT, DstPrefix: 'eth' },
      Gateway: '10.7.0.1',
      DisableGatewayService: true,
    };
    expect(await joinIt()).toEqual(joined);
    expect(await joinIt()).toEqual(joined);
    expect(links.port(PORT)).toMatchObject({ type: 'tap', vlans: [{ vid: 3, pvid: true, untagged: true }] });
    for (const method of ['Leave', 'Leave', 'DeleteEndpoint', 'DeleteEndpoint'])
      expect(await ask(method, ids)).toEqual({});
    for (let i = 0; i < 2; i++) expect(await ask('DeleteNetwork', { NetworkID: NETWORK })).toEqual({});
    expect(links.document).toEqual(FILE);
    expect(JSON.parse(readFileSync(path(), 'utf8'))).toEqual({ version: 1, networks: {}, endpoints: {} });
  });

  test('one of the same name, and a link of the user, are not touched', async () => {
    await createNetwork();
    await createEndpoint();
    const twin = { NetworkID: NETWORK, EndpointID: `abcdef012345${'1'.repeat(52)}` };
    await expect(ask('CreateEndpoint', twin)).rejects.toThrow('one of this name');
    await links.revise((document) => ({ ...document, ports: { [PORT]: { type: 'tap' } } }));
    const before = links.document;
    await expect(joinIt()).rejects.toThrow(`there is a link ${PORT} already`);
    expect(links.document).toBe(before);
    expect(records.endpoint(ENDPOINT)).not.toHaveProperty('sandbox');
  });

  test('of an unknown network or endpoint', async () => {
    await expect(createEndpoint()).rejects.toThrow('is not known to this switch');
    await createNetwork();
    await expect(joinIt()).rejects.toThrow('is not known to this switch');
    await expect(driver.answer('constructor', {})).rejects.toThrow('is not known');
  });

  test('a removed network takes its endpoints along', async () => {
    await createNetwork();
    await createEndpoint();
    await joinIt();
    await ask('DeleteNetwork', { NetworkID: NETWORK });
    expect(links.document).toEqual(FILE);
    expect(records.allEndpoints()).toEqual([]);
  });
});

describe('failures', () => {
  test('a change that the switch refuses leaves no record', async () => {
    links.refuses = true;
    await expect(createNetwork()).rejects.toThrow('no room');
    links.refuses = false;
    await createNetwork();
    await createEndpoint();
    links.refuses = true;
    await expect(joinIt()).rejects.toThrow('no room');
    expect(records.endpoint(ENDPOINT)).not.toHaveProperty('sandbox');
    expect(records.endpoint(ENDPOINT)).toBeDefined();
  });

  test('records that cannot be written leave the switch as it is', async () => {
    await createNetwork();
    await createEndpoint();
    const { document } = links;
    const kept = readFileSync(path(), 'utf8');
    mkdirSync(`${path()}.new`); // nothing can be written there
    await expect(joinIt()).rejects.toThrow(RecordsError);
    await expect(createNetwork({}, OTHER)).rejects.toThrow('cannot be written');
    expect(links.document).toBe(document);
    expect(readFileSync(path(), 'utf8')).toBe(kept);
    expect(records.network(OTHER)).toBeUndefined();
  });

  test('records are read again, whatever an interrupted write has left', async () => {
    await createNetwork({ vni: '100' });
    await createEndpoint();
    await joinIt();
    writeFileSync(`${path()}.new`, '{"version":1,"netw');
    const again = await Records.open(path(), 'docker.state');
    expect(again.allNetworks()).toEqual(records.allNetworks());
    expect(again.allEndpoints()).toEqual(records.allEndpoints());
    expect(existsSync(`${path()}.new`)).toBe(false);
  });

  test.each(['', '{', '{"version":2}', '[]', '{"version":1,"networks":{"a":{}},"endpoints":{}}'])(
    'a file that is no such one is refused, with a remedy: %s',
    async (text) => {
      writeFileSync(path(), text);
      await expect(Records.open(path(), 'docker.state')).rejects.toThrow(
        /docker\.state: .* cannot be used: .*remove it if/,
      );
    },
  );

  test('a link beside the file is not followed, and a FIFO or a huge file is not read', async () => {
    const other = join(folder, 'precious');
    writeFileSync(other, 'precious');
    symlinkSync(other, `${path()}.new`);
    await createNetwork();
    expect(readFileSync(other, 'utf8')).toBe('precious');
    expect(lstatSync(path()).isFile()).toBe(true);
    rmSync(path());
    execFileSync('mkfifo', [path()]);
    await expect(Records.open(path(), 'docker.state')).rejects.toThrow('it is no file');
    rmSync(path());
    writeFileSync(path(), '');
    truncateSync(path(), 8 * 1024 ** 3);
    await expect(Records.open(path(), 'docker.state')).rejects.toThrow('it has more than');
  });

  test('records of an earlier version are moved, once, and never over others', async () => {
    const { present, former } = filesOf('docker', '/run/a/cni.sock');
    expect(former).toBe('docker-cni.json');
    expect(filesOf('docker', '/run/b/cni.sock')).toMatchObject({ former });
    expect(filesOf('docker', '/run/b/cni.sock').present).not.toBe(present);
    const open = (name: string): Promise<Records> =>
      Records.open(join(folder, name), 'docker.state', join(folder, former));
    await createNetwork();
    renameSync(path(), join(folder, former));
    expect((await open(present)).allNetworks()).toHaveLength(1);
    expect(existsSync(join(folder, former))).toBe(false);
    expect((await open(filesOf('docker', '/run/b/cni.sock').present)).allNetworks()).toEqual([]);
    writeFileSync(join(folder, former), 'not read');
    expect((await open(present)).allNetworks()).toHaveLength(1);
  });

  test('another process has the records: nothing is written over them', async () => {
    await createNetwork();
    records.end();
    await expect(createEndpoint()).rejects.toThrow('another process has the switch');
    expect(records.allEndpoints()).toEqual([]);
  });
});

test('files and listings: links of containers are kept, and not shown', async () => {
  await createNetwork({ vni: '100' });
  await createEndpoint();
  await joinIt();
  const present = links.document;
  expect(attachments.strip(present)).toEqual(FILE);
  expect(attachments.keep(FILE, present)).toEqual(present);
  expect(() => attachments.keep({ bridges: {} }, present)).toThrow('br1');
});
