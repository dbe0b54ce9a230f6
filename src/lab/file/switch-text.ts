/**
 * The configuration of a host's switch as text. Where nothing but names of namespaces was put in, the author's own lines are kept, with
 * their comments; otherwise the value is written out.
 */
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { readDocumentValue } from '../../config/load.js';
import type { SwitchFiles } from '../setup/state.js';

/** The lines of a block mapping from its first key on, without their indentation. @param line, column of that key, from 1 */
export function blockText(source: string, line: number, column: number): string {
  const indent = column - 1;
  const kept: string[] = [];
  for (const text of source.split(/\r?\n/).slice(line - 1)) {
    const found = text.search(/\S/);
    if (found !== -1 && found < indent && text[found] !== '#') break;
    if (found !== -1 && found < indent) continue;
    kept.push(text.slice(indent));
  }
  return kept.join('\n').trimEnd();
}

export interface TextOf {
  readonly lab: string;
  readonly host: string;
  readonly files: SwitchFiles;
  /** The author's lines; empty: none that can be kept. */
  readonly text: string;
  /** What they must mean. */
  readonly value: unknown;
  /** Names in `netns`, and the namespaces that they stand for. */
  readonly namespaces: ReadonlyMap<string, string>;
}

/** The text of the configuration file. */
export function switchText({ lab, host, files, text, value, namespaces }: TextOf): string {
  const own = text
    .replace(/(\bnetns:\s*)([A-Za-z0-9_-]+)/g, (whole, key: string, name: string) => {
      const namespace = namespaces.get(name);
      return namespace === undefined ? whole : `${key}${namespace}`;
    })
    .replaceAll('$CONTROL', files.socket);
  const body = means(own, value) ? `${own}\n` : stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
  return `# Lab ${lab}, host ${host}.\nname: ${host}\ncontrol: ${files.socket}\n${body}`;
}

/** Anchors, tags and the like outside these lines, or a name in another form, make them mean something else. */
function means(text: string, value: unknown): boolean {
  if (text === '') return false;
  try {
    const read = JSON.stringify(readDocumentValue(text, ''));
    return isDeepStrictEqual(JSON.parse(read), JSON.parse(JSON.stringify(value)));
  } catch {
    return false;
  }
}
