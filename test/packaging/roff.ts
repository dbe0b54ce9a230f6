/** Text and a little Markdown as roff with the man macros, for groff and mandoc alike. Pure. */

/** Characters that roff takes for its own. */
export function escapeRoff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
    .replaceAll('`', '\\(ga')
    .replaceAll("'", '\\(aq');
}

/** A line of text: a dot at its beginning is no macro. */
export function line(text: string): string {
  const escaped = escapeRoff(text);
  return escaped.startsWith('.') ? `\\&${escaped}` : escaped;
}

/** Markdown within a paragraph: code in bold, links as their text. */
export function inline(markdown: string): string {
  const parts = markdown.replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1').split('`');
  return parts
    .map((part, i) => (i % 2 === 1 ? `\\fB${line(part)}\\fR` : i === 0 ? line(part) : escapeRoff(part)))
    .join('');
}

/** Lines as they are. */
export function verbatim(lines: readonly string[]): string[] {
  return ['.EX', ...lines.map(line), '.EE'];
}

/** Help text: paragraphs are filled, indented lines stand as they are. */
export function helpText(help: string): string[] {
  const out: string[] = [];
  for (const block of blocksOf(help)) {
    out.push('.PP');
    if (block[0]?.startsWith('  ') === true) out.push(...verbatim(block.map((one) => one.trimEnd())));
    else out.push(...block.map(line));
  }
  return out;
}

/** Runs of indented lines and of other lines, divided by empty ones. */
function blocksOf(text: string): string[][] {
  const blocks: string[][] = [];
  let current: string[] = [];
  for (const one of [...text.split('\n'), '']) {
    const isSameKind = current.length > 0 && current[0]?.startsWith('  ') === one.startsWith('  ');
    if (one !== '' && isSameKind) {
      current.push(one);
      continue;
    }
    if (current.length > 0) blocks.push(current);
    current = one === '' ? [] : [one];
  }
  return blocks;
}
