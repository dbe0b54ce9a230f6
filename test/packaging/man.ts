/**
 * The man pages overtap(1) and overtap.yaml(5), made from the commands and from the rows of the options. `npm run docs` writes
 * packaging/man. Pure.
 */
import { COMMANDS, EPILOGUE, helpOf, SUMMARY } from '../../src/cli/catalog.js';
import { GLOBAL_OPTIONS, HELP_OPTION, type OptionSpec, VERSION_OPTION } from '../../src/cli/command-facts.js';
import type { Row } from '../../src/config/options/option.js';
import { defaultText, SECTIONS, type Section, valueText, wordText } from '../docs/configuration.js';
import { escapeRoff, helpText, inline, line, verbatim } from './roff.js';

/** Of the pages' form, since mandoc wants a date; their contents are those of the version. */
const DATE = '2026-11-29';
const head = (name: string, section: number, version: string, title: string): string[] => [
  '.\\" Made by "npm run docs" from the tables of the program; do not edit it by hand.',
  `.TH ${name} ${section} ${DATE} "overtap ${version}" "${title}"`,
];

/** overtap(1). */
export async function commandPage(version: string): Promise<string> {
  const [examples = '', ...rest] = EPILOGUE.split('\nExamples:\n').reverse();
  return [
    ...head('OVERTAP', 1, version, 'User Commands'),
    '.SH NAME',
    'overtap \\- a userspace VXLAN switch',
    '.SH SYNOPSIS',
    '\\fBovertap\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR ...',
    '.SH DESCRIPTION',
    ...SUMMARY.split('\n').map(line),
    '.SH OPTIONS',
    ...[...GLOBAL_OPTIONS, HELP_OPTION, VERSION_OPTION].flatMap(optionText),
    '.SH COMMANDS',
    ...(await Promise.all(COMMANDS.map((command) => commandText(command)))).flat(),
    '.SH EXIT STATUS',
    ...exitStatus(rest.join('')),
    '.SH ENVIRONMENT',
    '.TP',
    '\\fBOVERTAP_CONTROL\\fR',
    'Control socket of the switch, unless \\fB\\-s\\fR gives one.',
    '.SH FILES',
    '.TP',
    '\\fI/run/overtap/overtap.sock\\fR',
    'Control socket, if neither the file of the switch nor \\fB\\-s\\fR names one.',
    '.TP',
    '\\fI/etc/overtap/NAME.yaml\\fR',
    'Configuration of the service \\fBovertap@NAME\\fR.',
    '.SH EXAMPLES',
    ...verbatim(examples.split('\n')),
    '.SH SEE ALSO',
    '.BR overtap.yaml (5),',
    '.BR ip (8),',
    '.BR bridge (8),',
    '.BR systemctl (1)',
    '',
  ].join('\n');
}

async function commandText(command: (typeof COMMANDS)[number]): Promise<string[]> {
  const { name, usage, summary, options = [] } = command;
  return [
    `.SS overtap ${escapeRoff(name)}`,
    `\\fBovertap ${escapeRoff(name)}\\fR ${escapeRoff(usage)}`,
    '.PP',
    `${line(summary.charAt(0).toUpperCase() + summary.slice(1))}.`,
    ...options.flatMap(optionText),
    ...helpText(await helpOf(command)),
  ];
}

function optionText({ flags, text, choices, fallback }: OptionSpec): string[] {
  const more = [
    ...(choices === undefined ? [] : [`one of ${choices.join(', ')}`]),
    ...(fallback === undefined ? [] : [`default ${fallback}`]),
  ];
  return ['.TP', `\\fB${escapeRoff(flags)}\\fR`, line(more.length === 0 ? text : `${text} (${more.join('; ')})`)];
}

/** `Exit status: 0 done; 1 refused ...` as a list. */
function exitStatus(epilogue: string): string[] {
  const [, list = ''] = /Exit status: ([^.]*)\./.exec(epilogue) ?? [];
  return list.split(/;\s+/).flatMap((entry) => {
    const [, status = '', meaning = ''] = /^(\d) ([\s\S]*)$/.exec(entry) ?? [];
    return ['.TP', `\\fB${status}\\fR`, line(meaning.replaceAll('\n', ' '))];
  });
}

/** overtap.yaml(5). */
export function configurationPage(version: string): string {
  return [
    ...head('OVERTAP.YAML', 5, version, 'File Formats'),
    '.SH NAME',
    'overtap.yaml \\- configuration of an overtap switch',
    '.SH DESCRIPTION',
    'YAML 1.2, so JSON too. Keys carry iproute2\\(aqs names. Unknown keys are errors.',
    '\\fBovertap check \\-c \\fIFILE\\fR reports all faults of a file at once, each with line and column.',
    '.PP',
    'Words are what \\fBovertap link add\\fR and \\fBlink set\\fR take for a key; \\fBdefault \\fIWORD\\fR takes it back to its default.',
    'A change of a key takes effect at once (live), opens the port again (new port), is refused (restart: stop the switch and start',
    'it again), or is accepted for the next start (next start).',
    ...SECTIONS.flatMap(sectionText),
    '.SH SEE ALSO',
    '.BR overtap (1),',
    '.BR ip (8),',
    '.BR bridge (8)',
    '',
  ].join('\n');
}

function sectionText({ title, text, example, rows }: Section): string[] {
  return [
    `.SH ${escapeRoff(title.toUpperCase())}`,
    inline(text),
    '.PP',
    ...verbatim(example.trim().split('\n')),
    ...Object.entries(rows).flatMap(([key, row]) => rowText(key, row)),
  ];
}

function rowText(key: string, row: Row): string[] {
  const facts = [
    `Value: ${escapeRoff(valueText(row.value))}`,
    row.required ? 'required' : `default: ${inline(defaultText(row))}`,
    `change: ${row.change}`,
  ];
  const words = row.words.map((word) => inline(wordText(key, word))).join(', ');
  return [
    '.TP',
    `\\fB${escapeRoff(key)}\\fR`,
    inline(row.doc),
    '.br',
    `${facts.join('; ')}.`,
    ...(words === '' ? [] : [`Words: ${words}.`]),
  ];
}
