/**
 * A real browser for the tests of the live page: Chromium without a window, with a profile of its own that goes with it. The long run has
 * one installed (scripts/test-tools.mjs); the short run uses one if it is there, and says so if not.
 */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { LONG } from '../long.js';

const PLACES = [
  process.env.OVERTAP_BROWSER ?? '',
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
];
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The program; undefined: there is none. */
export const BROWSER = PLACES.find((path) => path !== '' && existsSync(path));
export const REMEDY = 'apt-get install chromium-headless-shell, or set OVERTAP_BROWSER';
if (BROWSER === undefined) {
  if (LONG) throw new Error(`no browser for the tests of the live page: ${REMEDY}`);
  console.warn(`no browser here, so that the tests of the live page in one are left out: ${REMEDY}`);
}

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ ...(BROWSER === undefined ? {} : { executablePath: BROWSER }), args: FLAGS });

export interface Watched {
  readonly page: Page;
  /** Complaints of the browser: errors, and what the content security policy has refused. */
  readonly complaints: string[];
}

export async function openPage(
  browser: Browser,
  url: string,
  options: { width?: number; height?: number; dark?: boolean } = {},
): Promise<Watched> {
  const { width = 1280, height = 800, dark = false } = options;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light' });
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(new URL(url).origin)) complaints.push(`asked for ${request.url()}`);
  });
  await page.goto(url);
  return { page, complaints };
}
