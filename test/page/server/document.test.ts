import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { joinDocument } from '../../../src/page/server/document.js';

const HTML = '<!doctype html><style></style><p>page</p><script></script>';
const sha = (text: string): string => createHash('sha256').update(text).digest('base64');

/** What a browser takes for the element's content: up to the first end tag. */
const contentOf = (html: string, name: string): string =>
  new RegExp(`<${name}>([\\s\\S]*?)</${name}`, 'i').exec(html)?.[1] ?? '';

describe('the document', () => {
  const program = 'const tag = "</script><script>alert(1)</script>"; const money = "$& $1";';
  const style = 'body { content: "$`"; }';
  const { html, policy } = joinDocument(HTML, style, program);
  const text = html.toString();

  it('has style and program in it, with nothing lost', () => {
    expect(contentOf(text, 'style')).toBe(style);
    expect(contentOf(text, 'script')).toBe(program.replaceAll('</script', '<\\/script'));
  });

  it('allows just these two, by their hashes, and nothing from elsewhere', () => {
    expect(policy).toContain(`script-src 'sha256-${sha(contentOf(text, 'script'))}'`);
    expect(policy).toContain(`style-src 'sha256-${sha(contentOf(text, 'style'))}'`);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
  });
});
