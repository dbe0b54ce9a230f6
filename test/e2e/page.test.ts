/**
 * The live page in a real browser, over two switches with guests: frames are seen on their way, a drop is explained, the tables follow,
 * a flood of frames leaves it usable. With OVERTAP_SCREENSHOTS=FOLDER it leaves pictures there.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pageQuestions } from '../../src/cli/requests/page-questions.js';
import { formatEvent } from '../../src/cli/format/event.js';
import { createClient } from '../../src/client/client.js';
import { until } from '../../src/lab/testbed/wait.js';
import { openCapture } from '../../src/port/capture.js';
import { type Page as Served, servePage } from '../../src/page/page.js';
import { fromHex } from '../../src/wire/bytes.js';
import { LONG } from '../long.js';
import { BROWSER, openBrowser, openPage, REMEDY, type Watched } from './browser.js';
import { World } from './host-testbed.js';
import { accounts, overtap, settledStats, type RunningSwitch } from './switch.js';
import { access, filteringBridge, type Guest, tapPort, tunnelPort, twoHosts } from './topologies.js';
import { ping } from './traffic.js';

const world = new World();
const faults: unknown[] = [];
let browser: Browser;
let served: Served;
let switches: RunningSwitch[];
let guests: Guest[];

const NAMES = ['host1', 'host2'];
/** Frames of the flood. */
const FLOOD = 50_000;

async function guest(host: number): Promise<Guest> {
  return {
    netns: await world.netns(`guest${host + 1}`),
    ifname: 'eth0',
    address: `10.0.2.${host + 1}`,
    mac: `02:00:00:00:0a:0${host + 1}`,
  };
}

async function serve(site: Partial<Parameters<typeof servePage>[0]['site']> = {}): Promise<Served> {
  const shown = switches.map(({ control }, at) => ({ name: NAMES[at], client: createClient(control) }));
  return servePage({
    site: { title: 'two hosts', switches: NAMES, lab: false, guests: [], ...site },
    switches: shown,
    host: '127.0.0.1',
    port: 0,
    questions: pageQuestions(shown, undefined),
    describe: formatEvent,
    report: (fault) => faults.push(fault),
  });
}

async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.OVERTAP_SCREENSHOTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.click('#pause'); // on a slow machine a picture takes a while
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.click('#pause');
}

/** Sends frames by the first guest's NIC. */
function send(hex: string, times = 1): void {
  const nic = openCapture({ netns: guests[0].netns, ifname: guests[0].ifname, promiscuous: false });
  try {
    for (let sent = 0; sent < times; sent++) nic.write(fromHex(hex));
  } finally {
    nic.close();
  }
}

const MACS = '020000000a02020000000a01';
/** Tagged with VLAN 99, of which no port is a member. */
const TAGGED = `${MACS}810000630800450000200001000040110000${'0a000201'}${'0a000202'}13880035000c0000${'00'.repeat(8)}`;
const UDP = `${MACS}0800450000200001000040110000${'0a000201'}${'0a000202'}13880035000c0000${'00'.repeat(8)}`;

/** Keeps what is put on the wires, in its order, as `seen`: kind, switch, and what the wire is. */
const NOTE_LEGS = `
  globalThis.seen = [];
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
      for (const { dataset } of addedNodes)
        if (dataset?.edge !== undefined && dataset.kind !== 'ARP') seen.push([dataset.kind, dataset.switch, dataset.edge.split(' ')[0]].join(' '));
  }).observe(document.querySelector('#stage'), { childList: true, subtree: true });
  undefined;`;

const NAME = `the live page, in a browser${BROWSER === undefined ? `, left out since there is none: ${REMEDY}` : ''}`;

describe.skipIf(BROWSER === undefined)(NAME, () => {
  beforeAll(async () => {
    const hosts = await twoHosts(world);
    guests = [await guest(0), await guest(1)];
    switches = await Promise.all(
      hosts.map(({ netns, address }, at) =>
        world.startSwitch(
          netns,
          NAMES[at],
          filteringBridge(
            tapPort(`tap${at + 1}`, guests[at], access(2)),
            tunnelPort(address, [hosts[1 - at].address], { 2: 2 }),
          ),
        ),
      ),
    );
    await ping(world, guests[0].netns, guests[1].address, { count: 1 }); // ARP is over
    served = await serve();
    browser = await openBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await served?.close();
    await world.cleanUp();
    expect(faults).toEqual([]);
  });

  /** A page that has shown the switches. @param options of the window */
  async function open(options: Parameters<typeof openPage>[2] = {}): Promise<Watched> {
    const watched = await openPage(browser, served.url, options);
    await watched.page.waitForSelector('.node.switch >> nth=1');
    await until('both switches tell of their frames', async () =>
      (await watched.page.textContent('#view'))?.includes('by its counters') === false ? true : undefined,
    );
    return watched;
  }

  it('shows a ping on its way over both switches, leg by leg, and back', async () => {
    const { page, complaints } = await open({ width: 1040, height: 620 });
    await page.evaluate(NOTE_LEGS);
    await ping(world, guests[0].netns, guests[1].address, { count: 1 });
    await page.waitForSelector('.frame[data-edge^="tunnel"]');
    await picture(page, 'ping');
    const legs = ['host1 guest', 'host1 tunnel', 'host2 tunnel', 'host2 guest'];
    const right = [...legs.map((leg) => `ping ${leg}`), ...legs.reverse().map((leg) => `pong ${leg}`)];
    const seen = await until('all legs are drawn', async () => {
      const drawn = await page.evaluate<string[]>('seen');
      return drawn.length >= right.length ? drawn : undefined;
    });
    expect(seen).toEqual(right);
    await page.waitForSelector('#view .row >> text=echo reply');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('explains a drop in two clicks, by keyboard as well', async () => {
    const { page, complaints } = await open({ dark: true, width: 1040, height: 620 });
    send(TAGGED);
    await page.click('#tab-drops');
    await page.click('#view .row >> text=tag 99');
    await page.waitForSelector('#view >> text=the port is no member of its VLAN');
    await page.waitForSelector('#view .steps li');
    await picture(page, 'drop');
    expect(await page.textContent('#view')).toContain('vlan_not_allowed');
    await page.keyboard.press('1');
    await page.keyboard.press('5');
    await page.focus('#view .row');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#view .steps li');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('shows entries as they are learned, neighbours, VLANs, events and rates', async () => {
    const { page, complaints } = await open({ width: 480, height: 900 });
    await page.click('#tab-fdb');
    send(`${MACS.slice(0, 12)}0200000000ee${UDP.slice(24)}`);
    await page.waitForSelector('tr.fresh >> text=02:00:00:00:00:ee');
    await picture(page, 'narrow');
    await page.click('#tab-events');
    await page.waitForSelector('#view >> text=02:00:00:00:00:ee');
    await page.click('#tab-vlans');
    await page.waitForSelector('#view >> text=2 → 2');
    await page.click('#tab-rates');
    await page.waitForSelector('#view figure polyline', { state: 'attached' });
    await page.click('#tab-neigh');
    await page.waitForSelector('#view >> text=Nothing yet');
    const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    expect(overflow).toBeLessThanOrEqual(0);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it.runIf(LONG)('shows names and bytes of strangers as text', async () => {
    const script = '<img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=1</script>';
    // As much of an element as the name of a port may be: no blank, no slash, 15 characters.
    const [bold, image] = ['<b>"\'&', '<img-src=x>'];
    const guest = { switch: NAMES[0], port: bold, mac: '02:00:00:00:0a:01', addresses: [script] };
    for (const name of [bold, image]) {
      const added = await overtap('-s', switches[0].control, 'link', 'add', name, 'type', 'tap', 'master', 'br1');
      expect(added.status, added.stderr).toBe(0);
    }
    const other = await serve({ title: script, lab: true, guests: [{ ...guest, name: script }] });
    try {
      const { page, complaints } = await openPage(browser, other.url);
      await page.locator('#stage').getByText(bold).first().waitFor({ state: 'attached' });
      send(TAGGED + Buffer.from(script).toString('hex'));
      send(UDP + Buffer.from(script).toString('hex'));
      for (const view of ['frames', 'fdb', 'vlans', 'neigh', 'drops', 'rates', 'events', 'try', 'trace']) {
        await page.click(`#tab-${view}`);
        if (view === 'vlans') await page.locator('#view').getByText(image).first().waitFor();
        if (view === 'drops') await page.click('#view .row >> text=tag 99');
        if (view === 'drops') await page.waitForSelector('#view >> text=vlan_not_allowed');
      }
      expect(await page.title()).toContain(script);
      expect(
        await page.evaluate('document.querySelectorAll("img, body i, body b:not(.part), #view script").length'),
      ).toBe(0);
      expect(await page.evaluate('globalThis.pwned')).toBeUndefined();
      expect(complaints).toEqual([]);
      await page.close();
    } finally {
      await other.close();
      for (const name of [bold, image]) await overtap('-s', switches[0].control, 'link', 'del', name);
    }
  });

  it('is paused, slowed, cleared and explained by keys', async () => {
    const { page, complaints } = await open();
    await page.keyboard.press('Space');
    await ping(world, guests[0].netns, guests[1].address, { count: 1 });
    expect(await page.getAttribute('#pause', 'aria-pressed')).toBe('true');
    await page.waitForSelector('#view .row >> text=echo reply');
    expect(await page.locator('.frame').count()).toBe(0);
    await page.keyboard.press('Space');
    await page.keyboard.press('s');
    expect(await page.getAttribute('[data-speed="0.25"]', 'aria-pressed')).toBe('true');
    await page.keyboard.press('?');
    expect(await page.isVisible('#help')).toBe(true);
    await page.keyboard.press('Escape');
    expect(await page.isVisible('#help')).toBe(false);
    await page.keyboard.press('t');
    expect(await page.getAttribute('html', 'data-theme')).toBe('dark');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it.runIf(LONG)('is usable in a flood of frames, and the switch loses none of them', async () => {
    const { page, complaints } = await open();
    for (let sent = 0; sent < FLOOD; sent += 1000) {
      send(UDP, 1000);
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (sent === FLOOD / 2) {
        await page.click('#tab-rates');
        await page.waitForSelector('#view figure');
        await page.click('#tab-frames');
        await page.waitForSelector('#view .row >> text=×');
        await picture(page, 'flood');
      }
    }
    expect(await page.locator('.frame').count()).toBeLessThan(161);
    const stats = await Promise.all(switches.map(settledStats));
    for (const one of stats) expect(accounts(one).out).toBe(accounts(one).in);
    const [one, other] = stats.map(({ links }) => links);
    expect(other.vxlan0.rx_packets).toBe(one.vxlan0.tx_packets);
    // A TAP's own queue may overflow before the switch reads it.
    expect(one.tap1.rx_packets).toBeGreaterThan(FLOOD / 2);
    expect(complaints).toEqual([]);
    await page.close();
  });
});
