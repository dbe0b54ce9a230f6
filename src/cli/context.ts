/**
 * The context of a command: output, the client of its switch, and other modules of the program, loaded on demand.
 */
import type { SwitchClient } from '../client/client.js';
import type { ConfigError, formatFaults, loadDocument } from '../config/load.js';
import type { HostFacts } from '../config/read/host-facts.js';
import type { runDaemon } from '../control/daemon/daemon.js';
import type { goRootless, isReadableAgain, isRootless, ownSocket } from '../control/daemon/own-namespaces.js';
import type { servePage } from '../page/page.js';
import type { runReplay } from '../replay/run.js';
import type { CommandFacts } from './command-facts.js';

export interface Output {
  write(text: string): unknown;
  /** Width of the terminal in characters, where it is one. */
  readonly columns?: number;
}

/** The process around the program, injected so that tests can stand in for it. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts on a signal (Ctrl-C), or when the reader of the output has closed it. */
  readonly interrupted?: () => AbortSignal;
}

/** Modules that only some commands need, loaded on demand: loading them takes longer than most commands. */
export interface Rooms {
  config(): Promise<{
    loadDocument: typeof loadDocument;
    ConfigError: typeof ConfigError;
    formatFaults: typeof formatFaults;
  }>;
  /** What is on this host. */
  host(): Promise<{ HOST_FACTS: HostFacts }>;
  daemon(): Promise<{ runDaemon: typeof runDaemon }>;
  /** Namespaces of an ordinary user's switch. */
  rootless(): Promise<{
    goRootless: typeof goRootless;
    isReadableAgain: typeof isReadableAgain;
    isRootless: typeof isRootless;
    ownSocket: typeof ownSocket;
  }>;
  /** A switch in memory. */
  replay(): Promise<{ runReplay: typeof runReplay }>;
  lab(): Promise<typeof import('../lab/index.js')>;
  exercise(): Promise<typeof import('../exercise/index.js')>;
  page(): Promise<{ servePage: typeof servePage }>;
}

export const lazyRooms: Rooms = {
  config: () => import('../config/load.js'),
  host: () => import('../control/devices/host-facts.js'),
  daemon: () => import('../control/daemon/daemon.js'),
  rootless: () => import('../control/daemon/own-namespaces.js'),
  replay: () => import('../replay/run.js'),
  lab: () => import('../lab/index.js'),
  exercise: () => import('../exercise/index.js'),
  page: () => import('../page/page.js'),
};

export interface Context {
  readonly io: Io;
  readonly rooms: Rooms;
  /** `--json` was given. */
  readonly json: boolean;
  /** `--details` was given. */
  readonly details: boolean;
  /** The socket given with `-s`; unlike `client()` without a default. */
  readonly socketOption: string | undefined;
  /** The switch that `-s`, OVERTAP_CONTROL or the default names. */
  client(): Promise<SwitchClient>;
  /** Writes `text` to stdout with control characters escaped, like the next two. */
  print(text: string): void;
  /** Writes one line to stdout. */
  line(text: string): void;
  /** Writes one line to stderr. */
  warn(text: string): void;
  /** Writes `value` to stdout as one line of JSON. */
  printJson(value: unknown): void;
}

/** One use of a command. */
export interface Invocation {
  readonly context: Context;
  /** The words after the command's name, options taken out. */
  readonly words: readonly string[];
  /** The command's own options, by name. */
  readonly options: Readonly<Record<string, string | undefined>>;
  /** All commands. */
  readonly commands: readonly CommandFacts[];
  /** The command's help text. */
  help(): Promise<string>;
}

/** A command's work. @returns the exit status */
export type Run = (invocation: Invocation) => Promise<number>;
