/** Wireshark's questions and the answers; the script in its place, and what is left alone. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CONFIG_TEXT, interfacesText, readExtcap } from '../../src/sight/extcap.js';
import { foldersOf, InstallRefused, installExtcap } from '../../src/sight/extcap-install.js';

const home = mkdtempSync(join(tmpdir(), 'overtap-extcap-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('what Wireshark asks', () => {
  it.each([
    ['--extcap-interfaces --extcap-version=4.0', { ask: 'interfaces' }],
    ['--extcap-dlts --extcap-interface overtap:/run/a.sock', { ask: 'dlts', socket: '/run/a.sock' }],
    ['--extcap-config --extcap-interface overtap:/run/a.sock', { ask: 'config', socket: '/run/a.sock' }],
    [
      '--capture --extcap-interface overtap:/run/a.sock --fifo /tmp/f --places tap1,tap2 --snaplen 128',
      { ask: 'capture', socket: '/run/a.sock', fifo: '/tmp/f', places: ['tap1', 'tap2'], filter: [], snaplen: 128 },
    ],
    ['--capture --extcap-interface overtap:/run/a.sock', null],
    ['--capture', null],
    ['', null],
  ])('%s', (words, request) => {
    expect(readExtcap(words.split(' '))).toEqual(request);
  });

  it('a filter is one word with blanks', () => {
    const words = ['--capture', '--extcap-interface', 'overtap:/a', '--fifo', '/f', '--filter', 'vlan 10 ip 10.0.0.1'];
    expect(readExtcap(words)).toMatchObject({ filter: ['vlan', '10', 'ip', '10.0.0.1'] });
  });

  it('is answered in its form, whatever the names', () => {
    expect(interfacesText('1.0', [{ name: 'h{1}', socket: '/run/overtap/h1.sock' }])).toBe(
      'extcap {version=1.0}{display=overtap}\ninterface {value=overtap:/run/overtap/h1.sock}{display=overtap h_1_}\n',
    );
    for (const line of CONFIG_TEXT.trim().split('\n')) expect(line).toMatch(/^arg (\{\w+=[^{}]+\})+$/);
  });
});

describe('the script', () => {
  it('and the dissector are put where Wireshark looks, and again over themselves', () => {
    for (let time = 0; time < 2; time++) expect(installExtcap({ HOME: home }, true)).toHaveLength(3);
    const script = join(home, '.local/lib/wireshark/extcap/overtap');
    expect(readFileSync(script, 'utf8')).toContain('bin/overtap capture --extcap -- "$@"');
    expect(statSync(script).mode & 0o777).toBe(0o755);
    expect(readFileSync(join(home, '.local/lib/wireshark/plugins/overtap.lua'), 'utf8')).toContain(
      'register_postdissector',
    );
  });

  it('does not replace what is not its own', () => {
    const folder = join(home, 'other');
    installExtcap({}, folder);
    writeFileSync(join(folder, 'overtap'), '#!/bin/sh\n');
    expect(() => installExtcap({}, folder)).toThrow(InstallRefused);
    expect(readFileSync(join(folder, 'overtap'), 'utf8')).toBe('#!/bin/sh\n');
    expect(existsSync(folder)).toBe(true);
  });

  it('goes into the folder that is there', () => {
    const there = (path: string) => path === '/c/wireshark/extcap';
    expect(foldersOf({ home: '/h', configHome: '/c', exists: there })).toEqual({
      extcap: '/c/wireshark/extcap',
      plugins: '/h/.local/lib/wireshark/plugins',
    });
    expect(() => foldersOf({ home: undefined, configHome: undefined, exists: there })).toThrow('HOME is not set');
  });
});
