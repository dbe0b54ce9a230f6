/**
 * The switch's log: JSON lines, or text on a terminal. Logging never throws and never blocks (`log-sink.ts`).
 */
import { isatty } from 'node:tty';
import { type Logger, pino } from 'pino';
import type { LogLevel } from '../../api/api.js';
import { printable } from '../../text/printable.js';
import { caught } from '../guard.js';
import { LogSink } from './log-sink.js';

export type { Logger };

/** In order of decreasing importance. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const satisfies readonly LogLevel[];

const STDOUT = 1;

/** A log and the state of its destination. */
export interface Log {
  readonly logger: Logger;
  /** Lines lost so far. */
  lost(): number;
  /** Waits until every line is written or lost, at most `ms`. @returns false when a write still blocks */
  flush(ms: number): Promise<boolean>;
}

/** The log on standard output. @param fd another descriptor, for tests */
export async function createLog(name: string, level: string, fd = STDOUT): Promise<Log> {
  const sink = new LogSink(fd, (lost, reason) =>
    logger.warn({ lost, reason }, 'lines of the log could not be written'),
  );
  const format = isatty(fd) ? await readable() : (line: string): string => line;
  const logger = pino(
    {
      name,
      level,
      hooks: {
        logMethod(args, method) {
          try {
            method.apply(this, args);
          } catch (error) {
            caught('log', error);
          }
        },
      },
    },
    { write: (line: string) => sink.write(format(line)) },
  );
  return { logger, lost: () => sink.lost, flush: (ms) => sink.flush(ms) };
}

/**
 * For a terminal. Names come from guests too, so control characters are escaped (`printable`). The formatter is loaded only here:
 * a switch that runs as a service has no terminal.
 */
export async function readable(): Promise<(line: string) => string> {
  const { isColorSupported, prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({ colorize: isColorSupported, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' });
  return (line) =>
    pretty(JSON.parse(line, (_key, value: unknown) => (typeof value === 'string' ? printable(value) : value)));
}
