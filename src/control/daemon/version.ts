/**
 * The version of this program, from its package.json: three folders up from src and from dist alike.
 */
import { readFileSync } from 'node:fs';

/** Such as `0.1.0`. */
export function programVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) return String(manifest.version);
  throw new Error('package.json of overtap has no version; install it again');
}
