/**
 * `overtap check`: says whether a configuration file is right, and shows every fault if it is not. It touches no
 * switch and no device.
 */
import type { SwitchConfig } from '../../config/types.js';
import type { Invocation } from '../context.js';
import { readConfig } from '../read-config.js';

export async function run({ context, options }: Invocation): Promise<number> {
  const file = options.config ?? '';
  const { config, error } = await readConfig(context, file);
  if (context.json) {
    const faults = error?.faults.map((fault) => ({ file: error.fileName, ...fault })) ?? [];
    context.printJson({ ok: error === undefined, faults });
  } else if (error !== undefined) {
    context.io.stderr.write(`${error.format()}\n`);
  } else {
    context.line(`${file}: ok: ${summary(config)}`);
  }
  return error === undefined ? 0 : 2;
}

function summary(config: SwitchConfig): string {
  const ports = config.bridges.reduce((sum, bridge) => sum + bridge.ports.length, 0);
  return `${counted(config.bridges.length, 'bridge')}, ${counted(ports, 'port')}`;
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
