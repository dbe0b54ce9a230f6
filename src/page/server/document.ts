/**
 * The one document that the browser loads: markup, style and program in a single answer, so that nothing is loaded from elsewhere and
 * nothing is served without the token. The policy allows exactly this style and this program, by their hashes.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The page's files as the build makes them; the relative path is the same from src/page and from dist/page. */
const FOLDER = new URL('../../../dist/bundle/page/', import.meta.url);

export interface PageDocument {
  readonly html: Buffer;
  /** Content-Security-Policy. */
  readonly policy: string;
}

/** @throws Error when the page is not built */
export function readDocument(folder: URL = FOLDER): PageDocument {
  const read = (name: string): string => {
    try {
      return readFileSync(new URL(name, folder), 'utf8');
    } catch {
      throw new Error(`${fileURLToPath(new URL(name, folder))} is missing: build overtap first (npm run build)`);
    }
  };
  return joinDocument(read('page.html'), read('page.css'), read('page.js'));
}

/** @param html with the places `<style></style>` and `<script></script>` */
export function joinDocument(html: string, style: string, program: string): PageDocument {
  // In a script an end tag is the only text that HTML would take for its own.
  const script = program.replaceAll('</script', '<\\/script');
  const text = html
    .replace('<style></style>', () => `<style>${style}</style>`)
    .replace('<script></script>', () => `<script>${script}</script>`);
  return { html: Buffer.from(text), policy: policyOf(style, script) };
}

function policyOf(style: string, script: string): string {
  const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  return [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}
