/**
 * What every command is given: where to print, which switch to ask, and the other rooms of the house, each loaded
 * only when a command needs it. It owns no command's behaviour.
 */
import type { SwitchClient } from '../client/client.js';
import type { ConfigError, formatFaults, loadDocument } from '../config/load.js';
import type { HostFacts } from '../config/read/host-facts.js';
import type { runDaemon } from '../control/daemon/daemon.js';
import type { labCheck, labDown, labRun, labs, labUp } from '../lab/index.js';

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
  /** Aborts when whoever runs the program wants it to end (Ctrl-C), or reads its output no more. */
  readonly interrupted?: () => AbortSignal;
}

/** The rooms that only some commands need. Loading them costs more than most commands do. */
export interface Rooms {
  config(): Promise<{
    loadDocument: typeof loadDocument;
    ConfigError: typeof ConfigError;
    formatFaults: typeof formatFaults;
  }>;
  /** What is on this host. */
  host(): Promise<{ HOST_FACTS: HostFacts }>;
  daemon(): Promise<{ runDaemon: typeof runDaemon }>;
  lab(): Promise<{
    labs: typeof labs;
    labUp: typeof labUp;
    labCheck: typeof labCheck;
    labDown: typeof labDown;
    labRun: typeof labRun;
  }>;
}

export const lazyRooms: Rooms = {
  config: () => import('../config/load.js'),
  host: () => import('../control/devices/host-facts.js'),
  daemon: () => import('../control/daemon/daemon.js'),
  lab: () => import('../lab/index.js'),
};

export interface Context {
  readonly io: Io;
  readonly rooms: Rooms;
  /** `--json` was given. */
  readonly json: boolean;
  /** `--details` was given. */
  readonly details: boolean;
  /** The socket given with `-s`, where one was: unlike `client()` it knows no default. */
  readonly socketOption: string | undefined;
  /** The switch that `-s`, OVERTAP_CONTROL or the default names. */
  client(): Promise<SwitchClient>;
  /** Writes `text` to stdout, what a terminal would obey made visible; likewise the next two. */
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
  /** The command's help text. */
  help(): string;
}

/** A command's work. @returns the exit status */
export type Run = (invocation: Invocation) => Promise<number>;
