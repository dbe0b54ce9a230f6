/** `/v1/info`, `/v1/config`, `/v1/apply` and `/v1/log`, and the shape of every refusal. */
import { z } from 'zod';
import { value } from '../values/value.js';
import { said } from './fields.js';

export const INFO_ANSWER = z
  .object({ name: said(z.string(), "The switch's `name` of its configuration."), version: z.string(), pid: z.int() })
  .meta({ id: 'InfoAnswer' });
export type InfoAnswer = z.output<typeof INFO_ANSWER>;

export const CONFIG_ANSWER = z.record(z.string(), z.unknown()).meta({
  description: 'The configuration file that makes a switch like this one; `POST /v1/apply` takes it as it is.',
});
export type ConfigAnswer = z.output<typeof CONFIG_ANSWER>;

export const APPLY_REQUEST = z.strictObject({
  config: z
    .custom((input) => input !== undefined, { error: 'is missing; give the value of a configuration file' })
    .meta({ description: 'The value of a configuration file.' }),
  dry_run: said(value.flag, 'Only say what would be done.').exactOptional(),
});
export type ApplyRequest = z.output<typeof APPLY_REQUEST>;

export const APPLY_ANSWER = z
  .object({
    commands: said(z.array(z.string()), 'What was done, or would be, as commands of this program.'),
    warnings: said(
      z.array(z.string()),
      'Ports whose devices are not there yet, and why; what was changed without a command for it; absent: none.',
    ).exactOptional(),
  })
  .meta({ id: 'ApplyAnswer' });
export type ApplyAnswer = z.output<typeof APPLY_ANSWER>;

/** In order of increasing verbosity. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_REQUEST = z.strictObject({ level: value.choice(LOG_LEVELS) });
export const LOG_ANSWER = z.object({ level: z.enum(LOG_LEVELS) }).meta({ id: 'LogAnswer' });
/** The log level. */
export type LogAnswer = z.output<typeof LOG_ANSWER>;

export const UPGRADE_REQUEST = z.strictObject({});
export const UPGRADE_ANSWER = z
  .object({
    pid: said(z.int(), 'The process that runs the switch now.'),
    version: said(z.string(), 'Its version.'),
    gap_ms: said(z.number(), 'Milliseconds in which no frame was forwarded; they waited.'),
  })
  .meta({ id: 'UpgradeAnswer' });
export type UpgradeAnswer = z.output<typeof UPGRADE_ANSWER>;

export const ERROR_ANSWER = z
  .object({
    error: z.object({ code: said(z.string(), 'Stable, for programs.'), message: said(z.string(), 'For people.') }),
  })
  .meta({ id: 'ErrorAnswer', description: 'The body of every answer that is not a success.' });
export type ErrorAnswer = z.output<typeof ERROR_ANSWER>;
