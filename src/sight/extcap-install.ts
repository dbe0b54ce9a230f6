/**
 * Puts overtap's script into Wireshark's folder of extcap programs, and its dissector into that of Lua plugins. What stands there
 * and is not overtap's own is left alone.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { command } from '../text/shell.js';
import { EXTCAP_MARK, extcapScript } from './extcap.js';

/** A file could not be put in its place. */
export class InstallRefused extends Error {
  override readonly name = 'InstallRefused';
}

const DISSECTOR = 'packaging/wireshark/overtap.lua';
const DISSECTOR_MARK = '-- Fields for the decisions in captures of "overtap capture"';

export interface InstallFacts {
  home: string | undefined;
  /** XDG_CONFIG_HOME. */
  configHome: string | undefined;
  /** What is there on this host. */
  exists(path: string): boolean;
}

/** Wireshark's personal folders: the one that is there, else where every version up to 4.6 looks. */
export function foldersOf({ home, configHome, exists }: InstallFacts): { extcap: string; plugins: string } {
  if (home === undefined || home === '')
    throw new InstallRefused('HOME is not set: name the folder, as --install-extcap FOLDER');
  const config = configHome === undefined || configHome === '' ? join(home, '.config') : configHome;
  const local = join(home, '.local/lib/wireshark');
  const own = join(config, 'wireshark');
  const extcap = [join(local, 'extcap'), join(own, 'extcap')].find(exists) ?? join(local, 'extcap');
  const plugins = [join(local, 'plugins'), join(own, 'plugins')].find(exists) ?? join(local, 'plugins');
  return { extcap, plugins };
}

/**
 * @param folder of extcap programs; true: Wireshark's own
 * @returns what was done, a line each
 * @throws InstallRefused
 */
export function installExtcap(env: Readonly<Record<string, string | undefined>>, folder: string | true): string[] {
  const facts = { home: env.HOME, configHome: env.XDG_CONFIG_HOME, exists: existsSync };
  const { extcap, plugins } = folder === true ? foldersOf(facts) : { extcap: folder, plugins: folder };
  const { program, dissector } = packageFiles();
  const script = extcapScript(command`${process.execPath} ${program}`);
  return [
    put(extcap, 'overtap', script, 0o755, EXTCAP_MARK),
    put(plugins, 'overtap.lua', dissector, 0o644, DISSECTOR_MARK),
    'Wireshark shows the switches of this host among its interfaces when it is started again.',
  ];
}

/** The program and the dissector of this package, from wherever this file is built to. */
function packageFiles(): { program: string; dissector: string } {
  for (let folder = new URL('..', import.meta.url); folder.pathname !== '/'; folder = new URL('..', folder)) {
    const dissector = fileURLToPath(new URL(DISSECTOR, folder));
    const program = fileURLToPath(new URL('bin/overtap', folder));
    if (existsSync(dissector) && existsSync(program)) return { program, dissector: readFileSync(dissector, 'utf8') };
  }
  throw new InstallRefused(`this installation of overtap has no ${DISSECTOR}: install it again`);
}

function put(folder: string, name: string, text: string, mode: number, mark: string): string {
  const path = join(folder, name);
  try {
    if (existsSync(path) && !readFileSync(path, 'utf8').includes(mark)) {
      throw new InstallRefused(
        `${path} is not overtap's own: remove it, or name another folder (--install-extcap FOLDER)`,
      );
    }
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, text, { mode });
  } catch (error) {
    if (error instanceof InstallRefused) throw error;
    throw new InstallRefused(`${path}: ${(error as Error).message}`);
  }
  return `wrote ${path}`;
}
