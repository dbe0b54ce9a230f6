/** docs/cli.md as text, from the help that the program prints. Pure. */

const HEAD = `# The command line

Made from the program's own help by \`npm run docs\`; do not edit it by hand.
`;

/** @param helps the help of each command, by name; that of the program itself under '' */
export function cliText(helps: ReadonlyMap<string, string>): string {
  const parts = [HEAD];
  for (const [name, help] of helps)
    parts.push(`## overtap${name === '' ? '' : ` ${name}`}\n`, `\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`);
  return parts.join('\n');
}
