/**
 * Text for a terminal: names and messages from elsewhere (a guest's NIC, a namespace, the kernel, a switch) with all that a
 * terminal would obey made visible. Pure.
 */

/** Control characters (C0, DEL, C1) but for tab and newline, and those that turn the direction of writing. */
const OBEYED = /(?![\t\n])[\p{Cc}\p{Bidi_Control}]/gu;

const codeOf = (character: string, digits: number): string =>
  character.charCodeAt(0).toString(16).padStart(digits, '0');

/** The same text, where it holds nothing that a terminal obeys; else with `\x1b` and the like in place of it. */
export function printable(text: string): string {
  return text.replace(OBEYED, (one) => (one.charCodeAt(0) < 0x100 ? `\\x${codeOf(one, 2)}` : `\\u${codeOf(one, 4)}`));
}

/** JSON that means the same: JSON.stringify escapes C0 alone. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(OBEYED, (one) => `\\u${codeOf(one, 4)}`);
}
