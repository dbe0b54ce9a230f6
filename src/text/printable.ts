/**
 * Text for a terminal: escapes control characters in untrusted names and messages (a guest's NIC, a namespace, the kernel, a
 * switch). Pure.
 */

/** Control characters (C0, DEL, C1) except tab and newline, and bidirectional controls. */
const OBEYED = /(?![\t\n])[\p{Cc}\p{Bidi_Control}]/gu;

const codeOf = (character: string, digits: number): string =>
  character.charCodeAt(0).toString(16).padStart(digits, '0');

/** The text with control characters written as escapes such as `\x1b`. */
export function printable(text: string): string {
  return text.replace(OBEYED, (one) => (one.charCodeAt(0) < 0x100 ? `\\x${codeOf(one, 2)}` : `\\u${codeOf(one, 4)}`));
}

/** Equivalent JSON with all control characters escaped; JSON.stringify escapes C0 only. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(OBEYED, (one) => `\\u${codeOf(one, 4)}`);
}
