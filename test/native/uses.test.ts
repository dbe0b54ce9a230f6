import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const NATIVE = new URL('../../src/native/', import.meta.url);
/** Paths below that folder. */
const names = readdirSync(NATIVE, { recursive: true, encoding: 'utf8' }).filter((name) => /\.[ch]$/.test(name));
/** Without comments and strings, whose words are no uses. */
const texts = new Map(
  names.map((name) => [
    name,
    readFileSync(new URL(name, NATIVE), 'utf8').replace(/\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"(?!\n)/g, ' '),
  ]),
);
type Graph = Map<string, Set<string>>;

function includes(): Graph {
  const of = (name: string) => readFileSync(new URL(name, NATIVE), 'utf8').matchAll(/^#include "(.+)"$/gm);
  const seen = (name: string, header: string) => join(dirname(name), header);
  return new Map(names.map((name) => [name, new Set([...of(name)].map(([, header]) => seen(name, header)))]));
}

/** Which file defines each function that other files may call: a definition that is not static, and starts a line. */
function definitions(): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, text] of texts) {
    if (!name.endsWith('.c')) continue;
    for (const [, called] of text.matchAll(/^(?!static)[a-z][\w *]*?\b(ot_\w+)\([^;{]*\)\s*\{/gm))
      found.set(called, name);
  }
  return found;
}

/** Calls, and addresses taken, from one .c file to another. */
function uses(): Graph {
  const defined = definitions();
  const graph: Graph = new Map();
  for (const [name, text] of texts) {
    if (!name.endsWith('.c')) continue;
    const others = [...text.matchAll(/\bot_\w+/g)].map(([word]) => defined.get(word));
    graph.set(name, new Set(others.filter((other) => other !== undefined && other !== name) as string[]));
  }
  return graph;
}

/** The first circle found, as the files on it; empty: none. */
function circle(graph: Graph): string[] {
  const done = new Set<string>();
  const visit = (name: string, way: string[]): string[] => {
    if (way.includes(name)) return [...way.slice(way.indexOf(name)), name];
    if (done.has(name)) return [];
    for (const other of graph.get(name) ?? []) {
      const found = visit(other, [...way, name]);
      if (found.length > 0) return found;
    }
    done.add(name);
    return [];
  };
  for (const name of graph.keys()) {
    const found = visit(name, []);
    if (found.length > 0) return found;
  }
  return [];
}

describe('the C files of the addon', () => {
  test('include each other one way', () => {
    const graph = includes();
    expect(graph.get('nic/nic.h')).toContain('frames/device.h');
    expect(circle(graph)).toEqual([]);
  });

  test('use each other one way, room by room', () => {
    const room = (name: string) => (name.includes('/') ? dirname(name) : 'common');
    const graph: Graph = new Map();
    for (const [name, others] of uses())
      for (const other of others)
        if (room(name) !== room(other)) graph.set(room(name), new Set([...(graph.get(room(name)) ?? []), room(other)]));
    expect(circle(graph)).toEqual([]);
  });

  test('use each other one way', () => {
    const graph = uses();
    expect(graph.get('nic/transmit.c')).toContain('nic/train.c');
    expect(circle(graph)).toEqual([]);
  });

  test('are all built', () => {
    const built = readFileSync(new URL('../../binding.gyp', NATIVE), 'utf8');
    for (const name of names) if (name.endsWith('.c')) expect(built).toContain(`"src/native/${name}"`);
  });

  test('a circle is found', () => {
    const graph: Graph = new Map([
      ['a', new Set(['b'])],
      ['b', new Set(['c'])],
      ['c', new Set(['b'])],
    ]);
    expect(circle(graph)).toEqual(['b', 'c', 'b']);
  });
});
