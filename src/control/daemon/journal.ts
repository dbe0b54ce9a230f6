/**
 * Formats requests of the control socket as log lines.
 */

import type { ApplyAnswer, ChangeRequest, FlushAnswer } from '../../api/api.js';
import { ConfigError } from '../../config/load.js';
import type { LinkType } from '../../config/options/kinds.js';
import { ChangeRefused } from '../controls.js';
import { attempt } from '../guard.js';
import type { Journal } from '../http/routes.js';
import type { ChangeLog } from '../log/change-log.js';
import type { Logger } from '../log/logger.js';
import type { SwitchModel } from '../model/model.js';
import { requestText, requestVerb } from '../plan/request-text.js';
import type { Switch } from '../switch.js';

/** Most commands of an `apply` in one line. */
const MOST_COMMANDS = 100;

/** Reports each change requested over the control socket. */
export function journalOf(changes: ChangeLog, running: Switch): Journal {
  const note = (by: string, change: ChangeRequest, more: { facts?: object; refused?: string }): void =>
    attempt('change-log', () => {
      const command = (): string => requestText(change, (link) => typeOf(running.model, link));
      changes.note({ by, verb: requestVerb(change), command, ...more });
    });
  return {
    done(by, change, answer) {
      if (change.kind !== 'apply') note(by, change, { facts: removedBy(answer) });
      else if (change.request.dry_run !== true && hasEffect(answer as ApplyAnswer))
        note(by, change, { facts: commandsOf(answer as ApplyAnswer) });
    },
    // An internal fault is logged on a line of its own.
    refused: (by, change, error) =>
      error instanceof ChangeRefused ? note(by, change, { refused: error.message }) : undefined,
  };
}

/** SIGHUP applies the file as the `apply` command does, completely or not at all. */
export async function reload(read: () => { document: unknown }, running: Switch, logger: Logger): Promise<void> {
  const by = 'SIGHUP';
  try {
    const answer = await running.controls.apply({ config: read().document });
    const outcome = hasEffect(answer) ? 'changed' : 'nothing to change: the switch has this configuration';
    logger.info({ by, change: 'apply', ...commandsOf(answer) }, outcome);
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof ChangeRefused)) throw error;
    const reason = error instanceof ConfigError ? error.format() : error.message;
    logger.error({ by, change: 'apply', reason }, 'change refused; the switch goes on as it was');
  }
}

const hasEffect = ({ commands, warnings }: ApplyAnswer): boolean => commands.length + (warnings ?? []).length > 0;

function commandsOf({ commands, warnings }: ApplyAnswer): object {
  const more = commands.length - MOST_COMMANDS;
  return { commands: commands.slice(0, MOST_COMMANDS), ...(more > 0 ? { more } : {}), warnings };
}

function removedBy(answer: unknown): object {
  const flushed = answer as FlushAnswer | undefined;
  return flushed === undefined ? {} : { removed: flushed.removed };
}

function typeOf(model: SwitchModel, link: string): LinkType | undefined {
  return model.bridges.has(link) ? 'bridge' : model.ports.get(link)?.kind;
}
