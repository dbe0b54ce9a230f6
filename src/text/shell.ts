/**
 * Shell quoting for commands in messages, so that they are safe to paste whatever characters a name contains. Pure.
 */

/** One shell word, quoted if necessary. The result is printable ASCII. */
export function shellWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  if (/^[\x20-\x7e]*$/.test(word)) return `'${word.replaceAll("'", "'\\''")}'`;
  const bytes = new TextEncoder().encode(word);
  const escaped = Array.from(bytes, (byte) => {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x27 && byte !== 0x5c;
    return isPlain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  });
  return `$'${escaped.join('')}'`;
}

/** A command in a message: `command\`ip link set ${dev} up\``. Each value is quoted as one shell word. */
export function command(parts: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return parts.map((part, index) => part + (index < values.length ? shellWord(String(values[index])) : '')).join('');
}
