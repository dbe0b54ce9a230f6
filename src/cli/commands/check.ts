/**
 * `overtap check`: validates a configuration file and shows all faults. A missing device, namespace or address is only a warning.
 * Uses no switch and changes no device.
 */
import type { ConfigFault } from '../../config/load.js';
import type { SwitchConfig } from '../../config/types.js';
import type { Invocation } from '../context.js';
import { controlCheck, readConfig } from '../read-config.js';

export async function run({ context, options }: Invocation): Promise<number> {
  const file = options.config ?? '';
  const { config, error, warnings } = await readConfig(context, file, controlCheck(context));
  if (context.json) {
    const said = (list: readonly ConfigFault[]): object[] => list.map((one) => ({ file, ...one }));
    const more = said(warnings ?? error.warnings);
    context.printJson({
      ok: error === undefined,
      faults: said(error?.faults ?? []),
      ...(more.length === 0 ? {} : { warnings: more }),
    });
  } else if (error !== undefined) {
    context.warn(error.format());
  } else {
    const { formatFaults } = await context.rooms.config();
    if (warnings.length > 0) context.warn(formatFaults(file, warnings));
    context.line(`${file}: ok: ${summary(config)}`);
  }
  return error === undefined ? 0 : 2;
}

function summary(config: SwitchConfig): string {
  const ports = config.bridges.reduce((sum, bridge) => sum + bridge.ports.length, 0);
  return `${counted(config.bridges.length, 'bridge')}, ${counted(ports, 'port')}`;
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
