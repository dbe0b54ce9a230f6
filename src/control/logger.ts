/**
 * The switch's log: JSON lines, or readable ones on a terminal.
 */
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export type { Logger };

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

/** A logger on standard output, written at once, so that no line is lost at the end. */
export function createLogger(name: string, level: string): Logger {
  const options = { name, level };
  if (process.stdout.isTTY)
    return pino(options, pretty({ sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' }));
  return pino(options, pino.destination({ fd: 1, sync: true }));
}
