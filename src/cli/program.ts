/**
 * The command line: global options, selection of a command, exit statuses, and errors as one line. Commands are in `commands/`, help
 * texts in `catalog.ts`. Independent of the process: `main.ts` connects it.
 */
import { Command, CommanderError, Option } from 'commander';
import type { SwitchClient } from '../client/client.js';
import { defaultSocket } from '../config/user-folder.js';
import { programVersion } from '../control/daemon/version.js';
import { printable, printableJson } from '../text/printable.js';
import { readGlobals, runBatch } from './batch.js';
import { COMMANDS, type CommandSpec, EPILOGUE, helpOf, LATER_COMMANDS, SUMMARY } from './catalog.js';
import { GLOBAL_OPTIONS, HELP_OPTION, VERSION_OPTION } from './command-facts.js';
import { type Context, type Io, lazyRooms, type Rooms } from './context.js';
import { NotFoundError, UsageError } from './errors.js';

export const EXIT_DONE = 0;
/** The switch refused, the named object does not exist, or the command failed. */
export const EXIT_REFUSED = 1;
/** The command line or the configuration file is wrong. */
export const EXIT_USAGE = 2;
export const EXIT_NO_SWITCH = 3;

const WIDTH = 100;

/**
 * Runs one command line.
 * @param argv the words after the program's name
 * @returns the exit status; every error has been printed to stderr
 */
export async function main(argv: readonly string[], io: Io, rooms: Rooms = lazyRooms): Promise<number> {
  try {
    const { words, batch } = readGlobals(argv);
    const runCommand = commandRunner(io, rooms, batch !== undefined);
    return await (batch === undefined ? runCommand(words) : runBatch(batch, io, runCommand));
  } catch (error) {
    return tell(error, io);
  }
}

/**
 * Runs command lines one after the other, by one program: building it costs as much as a change.
 * @param keepAlive many of them go to one switch by one connection
 */
function commandRunner(io: Io, rooms: Rooms, keepAlive: boolean): (words: string[]) => Promise<number> {
  const result = { status: EXIT_DONE };
  const program = buildProgram(io, rooms, { result, connect: connector(keepAlive) });
  return async (words) => {
    result.status = EXIT_DONE;
    try {
      if (words.some(asksForHelp)) await Promise.all(COMMANDS.map(loadHelp));
      await program.parseAsync(words, { from: 'user' });
      return result.status;
    } catch (error) {
      return tell(error, io);
    }
  };
}

/** Help that has been loaded, by command. */
const loadedHelp = new Map<string, string>();

/** Loads a command's help before commander prints it, which cannot wait. */
async function loadHelp(spec: CommandSpec): Promise<void> {
  loadedHelp.set(spec.name, await helpOf(spec));
}

/** Whether commander may take a word, or an abbreviation of several, for a request of help. */
const asksForHelp = (word: string): boolean => word === 'help' || word === '--help' || /^-[a-z]*h/.test(word);

type Connect = (socket: string) => Promise<SwitchClient>;

/** One client for each socket, made when it is first asked for. */
function connector(keepAlive: boolean): Connect {
  const clients = new Map<string, SwitchClient>();
  return async (socket) => {
    const { createClient } = await import('../client/client.js');
    const client = clients.get(socket) ?? createClient(socket, { keepAlive });
    clients.set(socket, client);
    return client;
  };
}

/** What the actions of the program share. */
interface Runner {
  readonly result: { status: number };
  readonly connect: Connect;
}

function buildProgram(io: Io, rooms: Rooms, runner: Runner): Command {
  const program = new Command('overtap')
    .description(SUMMARY)
    .usage('[options] COMMAND ...')
    .version(programVersion(), VERSION_OPTION.flags, VERSION_OPTION.text)
    .helpOption(HELP_OPTION.flags, HELP_OPTION.text)
    .helpCommand(false)
    .addHelpText('after', EPILOGUE)
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (command) => command.name(),
      helpWidth: Math.min(io.stdout.columns ?? WIDTH, WIDTH + 20),
    })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      // Commander writes the help it gives for want of a command here; errors come through outputError.
      writeErr: (text) => io.stdout.write(text),
      outputError: (text) => io.stderr.write(usageLine(text)),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const { flags, text } of GLOBAL_OPTIONS) {
    const option = new Option(flags, text);
    program.addOption(option.name() === 'control' ? option.argParser(socketPath) : option);
  }
  for (const spec of COMMANDS) addCommand(program, spec, io, rooms, runner);
  for (const name of LATER_COMMANDS) addLaterCommand(program, name);
  addHelpCommand(program);
  return program;
}

/** Commander's own help command answers an unknown name with the general help and status 0; this one with an error. */
function addHelpCommand(program: Command): void {
  program
    .command('help')
    .summary('show the help of a command')
    .description('Show the help of a command.')
    .usage('[COMMAND]')
    .argument('[COMMAND]')
    .argument('[WORD...]')
    .helpOption('-h, --help', 'show help')
    .action((name: string | undefined) => {
      const command = name === undefined ? program : program.commands.find((candidate) => candidate.name() === name);
      if (command === undefined) throw new UsageError(`unknown command '${name}' (see "overtap --help")`);
      if (LATER_COMMANDS.includes(command.name())) throw notAvailable(command.name());
      command.outputHelp();
    });
}

function addCommand(program: Command, spec: CommandSpec, io: Io, rooms: Rooms, { result, connect }: Runner): void {
  const command = program
    .command(spec.name)
    .summary(spec.summary)
    .description(`${spec.summary.charAt(0).toUpperCase()}${spec.summary.slice(1)}.`)
    .usage(spec.usage)
    .helpOption('-h, --help', 'show help')
    .configureOutput({ outputError: (text) => io.stderr.write(usageLine(text, spec.name)) })
    .addHelpText('after', () => loadedHelp.get(spec.name) ?? '');
  if (spec.words) command.argument('[words...]');
  for (const { flags, text, required, choices, fallback, many } of spec.options ?? []) {
    const option = new Option(flags, text).makeOptionMandatory(required ?? false);
    if (choices !== undefined) option.choices(choices);
    if (fallback !== undefined) option.default(fallback);
    if (many === true)
      option.argParser((value: string, before?: string) => (before === undefined ? value : `${before},${value}`));
    command.addOption(option);
  }
  for (const { flags, text } of spec.hidden ?? []) command.addOption(new Option(flags, text).hideHelp());
  command.action(async () => {
    const { run } = await spec.load();
    result.status = await run({
      context: makeContext(io, rooms, connect, program.opts()),
      words: command.args,
      options: command.opts<Record<string, string | undefined>>(),
      commands: COMMANDS,
      async help() {
        await loadHelp(spec);
        return helpText(command);
      },
    });
  });
}

function addLaterCommand(program: Command, name: string): void {
  program
    .command(name, { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(() => {
      throw notAvailable(name);
    });
}

const notAvailable = (name: string): UsageError => new UsageError(`"${name}" is not available in this version`);

function makeContext(
  io: Io,
  rooms: Rooms,
  connect: Connect,
  options: { control?: string; json?: boolean; details?: boolean },
): Context {
  const socket = options.control ?? (io.env.OVERTAP_CONTROL || defaultSocket(io.env, process.geteuid?.()));
  return {
    io,
    rooms,
    json: options.json === true,
    details: options.details === true,
    socketOption: options.control,
    client: () => connect(socket),
    print: (text) => void io.stdout.write(printable(text)),
    line: (text) => void io.stdout.write(`${printable(text)}\n`),
    warn: (text) => void io.stderr.write(`${printable(text)}\n`),
    printJson: (value) => void io.stdout.write(`${printableJson(value)}\n`),
  };
}

/** The complete help of a command, as by `--help`. */
function helpText(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

function socketPath(text: string): string {
  if (text === '') throw new UsageError('-s needs the path of a control socket');
  return text;
}

/** Commander's error as one line: the error, a suggestion, and where to find help: that of the command, if it is one of its own. */
function usageLine(text: string, command?: string): string {
  const wrong = text
    .trim()
    .replace(/^error: /, '')
    .replace(/\.?\s*\(Did you mean (?:one of )?(.+?)\?\)/, '; did you mean $1?')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
  return printable(`overtap: ${wrong} (see "overtap ${command === undefined ? '' : `${command} `}--help")\n`);
}

/** Prints an error as one line on stderr. @returns its exit status */
async function tell(error: unknown, io: Io): Promise<number> {
  // Commander has already printed its own errors; help and version end the same way, with status 0.
  if (error instanceof CommanderError) {
    return error.exitCode === 0 || error.code === 'commander.help' ? EXIT_DONE : EXIT_USAGE;
  }
  if (isDefect(error)) {
    io.stderr.write(printable(`overtap: internal error; please report it:\n${error.stack ?? error.message}\n`));
    return EXIT_REFUSED;
  }
  io.stderr.write(printable(`overtap: ${error instanceof Error ? error.message : String(error)}\n`));
  if (error instanceof UsageError) return EXIT_USAGE;
  if (error instanceof NotFoundError) return EXIT_REFUSED;
  const { SwitchUnreachable } = await import('../client/client.js');
  if (!(error instanceof SwitchUnreachable)) return EXIT_REFUSED;
  if (error.absent !== undefined) await tellOthers(error.absent, io);
  return EXIT_NO_SWITCH;
}

/** The switch that was meant may be another one. */
async function tellOthers(socket: string, { env, stderr }: Io): Promise<void> {
  const { otherSwitchesLine } = await import('./other-switches.js');
  const line = await otherSwitchesLine(env, socket);
  if (line !== '') stderr.write(printable(`overtap: ${line}\n`));
}

/** An internal error, for which the stack trace is more useful than the message. */
function isDefect(error: unknown): error is Error {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
}
