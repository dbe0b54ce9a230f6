/**
 * The start of a process that takes the switch of another one over: its configuration is the running one of that switch.
 */
import { checkDocument, type CheckedDocument, ConfigError } from '../../config/load.js';
import type { Document } from '../../config/edit/tree.js';
import { keepStderr } from '../../port/rights.js';
import { attempt } from '../guard.js';
import { Taker, TakeOverError } from '../handover/taker.js';
import type { Entry } from '../model/entries.js';
import type { SwitchInheritance } from '../switch.js';
import { STDERR_VARIABLE } from './successor.js';

export interface Estate extends CheckedDocument {
  taker: Taker;
  inheritance: SwitchInheritance;
}

/**
 * Asks the switch at a control socket for all that it has.
 * @throws TakeOverError; that switch goes on
 */
export async function takeEstate(control: string): Promise<Estate> {
  const taker = Taker.ask(control);
  const { plan, legacy } = taker;
  const { name, document: given, entries, tables, peers, routes, mode } = plan;
  try {
    // The rules hold; whether namespaces are there, the former process has found out.
    const { document, config, warnings } = checkDocument(given, { hostname: () => name, netnsExists: () => true });
    const inheritance = { mode, entries: entries as Entry[], peers, routes, legacy };
    return {
      document: document as Document,
      config: { ...config, name, control, tables },
      warnings,
      taker,
      inheritance,
    };
  } catch (error) {
    const reason = error instanceof ConfigError ? error.format() : (error as Error).message;
    const message = `this version does not take the running configuration: ${reason}`;
    await taker.giveUp(message);
    throw new TakeOverError(`${message}; the former switch goes on`);
  }
}

/** From now on standard error is where the former process had it: until here that one has read it. */
export function inheritStderr(): void {
  const fd = Number(process.env[STDERR_VARIABLE]);
  delete process.env[STDERR_VARIABLE];
  if (Number.isInteger(fd) && fd > 2) attempt('hand-over', () => keepStderr(fd));
}
