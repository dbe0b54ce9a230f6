/**
 * `overtap run`: runs a switch in the foreground from a configuration file. The daemon (`src/control/daemon`) does the work.
 */
import type { CheckedDocument } from '../../config/load.js';
import type { SwitchConfig } from '../../config/types.js';
import type { WhenRootless } from '../../control/daemon/own-namespaces.js';
import type { Context, Invocation } from '../context.js';
import { controlCheck, factsOf, readConfig } from '../read-config.js';

export async function run({ context, options }: Invocation): Promise<number> {
  const file = options.config ?? '';
  const goRootless = await rootless(context, file, (options.rootless ?? 'auto') as WhenRootless);
  if (goRootless?.isBlind) goRootless.go();
  const { document, config, warnings, error } = await readConfig(context, file, controlCheck(context));
  if (error !== undefined) {
    context.warn(error.format());
    return 2;
  }
  if (goRootless?.isBlind === false) goRootless.go(config);
  const { runDaemon } = await context.rooms.daemon();
  const control = context.socketOption ?? goRootless?.socketOf(config) ?? config.control;
  const { loadDocument } = await context.rooms.config();
  const host = await factsOf(context);
  // A running switch must not block on a FIFO that has replaced the file.
  const reload = (): CheckedDocument => loadDocument(file, { regularFile: true, host });
  return runDaemon(
    { document, warnings, config: { ...config, control } },
    { logLevel: options.logLevel ?? 'info', takeOver: options.takeOver !== undefined, reload },
  );
}

interface Rootless {
  /** It goes before the file is read, which can be read only once. */
  readonly isBlind: boolean;
  /** Returns if there is no need, or no way. */
  go(config?: SwitchConfig): void;
  /** The control socket where it may not use the default one. */
  socketOf(config: SwitchConfig): string | undefined;
}

/** An ordinary user's way into namespaces of the switch's own; undefined for others. */
async function rootless(context: Context, file: string, when: WhenRootless): Promise<Rootless | undefined> {
  if (process.geteuid?.() === 0) return undefined;
  const room = await context.rooms.rootless();
  if (!room.isRootless(when)) return undefined;
  const around = {
    hasSocket: context.socketOption !== undefined,
    say: (line: string) => context.warn(`overtap: ${line}`),
  };
  return {
    isBlind: !room.isReadableAgain(file),
    socketOf: (config) => room.ownSocket({ ...around, config }),
    go: (config) => room.goRootless({ ...around, when, ...(config === undefined ? {} : { config }) }),
  };
}
