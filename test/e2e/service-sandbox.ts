/**
 * The sandbox of the service without its manager: what packaging/systemd says of user, capabilities, system calls, address
 * families, namespaces and descriptors, as a command line that runs a program so. The mounts of the unit are not part of it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const UNITS = fileURLToPath(new URL('../../packaging/systemd/', import.meta.url));
const SOURCE = fileURLToPath(new URL('tools/sandbox.c', import.meta.url));
/** The user of the unit need not exist where tests run. */
export const NOBODY = 65_534;

/** The settings of [Service], each with its values in order; an empty value takes earlier ones back (systemd.syntax(7)). */
export type Settings = ReadonlyMap<string, readonly string[]>;

/** The unit with drop-ins. @param dropIns names of files beside it, such as `namespaces.conf` */
export function unitSettings(dropIns: readonly string[] = []): Settings {
  const settings = new Map<string, string[]>();
  for (const file of ['overtap@.service', ...dropIns]) {
    const [, service = ''] =
      /^\[Service\]$([\s\S]*?)(?=^\[|$(?![\s\S]))/m.exec(readFileSync(join(UNITS, file), 'utf8')) ?? [];
    for (const [, key = '', value = ''] of service.matchAll(/^(\w+)=(.*)$/gm)) {
      settings.set(key, value === '' ? [] : [...(settings.get(key) ?? []), value]);
    }
  }
  return settings;
}

export const words = (settings: Settings, key: string): string[] =>
  (settings.get(key) ?? []).flatMap((value) => value.split(/\s+/));

/** System calls that the filter lets through: the lists in order, groups resolved by systemd itself. */
export function allowedCalls(settings: Settings): Set<string> {
  const allowed = new Set(callsOf('@default'));
  for (const value of settings.get('SystemCallFilter') ?? []) {
    const isDenial = value.startsWith('~');
    for (const item of value.replace('~', '').split(/\s+/)) {
      for (const call of callsOf(item)) {
        if (isDenial) allowed.delete(call);
        else allowed.add(call);
      }
    }
  }
  return allowed;
}

const groups = new Map<string, string[]>();

function callsOf(item: string): string[] {
  if (!item.startsWith('@')) return [item];
  const known = groups.get(item);
  if (known !== undefined) return known;
  const text = execFileSync('systemd-analyze', ['syscall-filter', item], { encoding: 'utf8' });
  const items = [...text.matchAll(/^ {4}([@\w-]+)$/gm)].map(([, name = '']) => name).filter((name) => name !== item);
  const calls = items.flatMap(callsOf);
  groups.set(item, calls);
  return calls;
}

/** Compiles the filter of a unit. @returns the program that runs another one under it */
export function compileSandbox(folder: string, settings: Settings): string {
  // A name that this architecture lacks stays out.
  const calls = [...allowedCalls(settings)].map((name) => `#ifdef __NR_${name}\nCALL(__NR_${name})\n#endif\n`).join('');
  const isFree = words(settings, 'RestrictNamespaces').includes('net');
  const families = words(settings, 'RestrictAddressFamilies').join(', ');
  const namespaces = isFree ? 'CLONE_NEWNET' : '0';
  const header = `#define ALLOWED_FAMILIES ${families}\n#define ALLOWED_NAMESPACES ${namespaces}\n`;
  writeFileSync(join(folder, 'unit.h'), header);
  writeFileSync(join(folder, 'calls.h'), calls);
  const program = join(folder, 'sandbox');
  const cc = process.env.CC ?? 'cc';
  execFileSync(cc, ['-O1', '-D_GNU_SOURCE', `-I${folder}`, '-o', program, SOURCE]);
  return program;
}

/** The command line that runs `command` as the unit would. @param sandbox of compileSandbox */
export function confined(sandbox: string, settings: Settings, command: readonly string[]): string[] {
  const list = (key: string): string => {
    const names = words(settings, key).map((name) => `+${name.replace('CAP_', '').toLowerCase()}`);
    return ['-all', ...names].join(',');
  };
  const [descriptors] = words(settings, 'LimitNOFILE');
  return [
    ...['prlimit', `--nofile=${descriptors}`, 'setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'],
    ...[`--bounding-set=${list('CapabilityBoundingSet')}`, `--inh-caps=${list('AmbientCapabilities')}`],
    ...[`--ambient-caps=${list('AmbientCapabilities')}`, '--no-new-privs', sandbox, ...command],
  ];
}
