/**
 * One running switch: devices, engine and model together, from a configuration until it is stopped.
 */
import { randomInt } from 'node:crypto';
import type { OffloadConfig, SwitchConfig } from '../config/types.js';
import { selfTest } from '../port/self-test.js';
import { compile } from './compile.js';
import { Devices } from './devices.js';
import { Engines } from './engines.js';
import type { SwitchModel } from './model.js';
import type { Sources } from './views.js';

export interface SwitchEvents {
  /** A port's device has gone. */
  portLost(name: string, errno: number): void;
  /** An offload that the configuration allows is not there; `reason` says what was found. */
  offloadMissing(offload: string, reason: string): void;
  /** An offload failed at run time and is not used any more. */
  offloadLost(offload: string): void;
  failed(error: Error): void;
}

export class Switch {
  readonly model: SwitchModel;

  private constructor(
    model: SwitchModel,
    private readonly engines: Engines,
    private readonly devices: Devices,
    /** What is used, of what the configuration allows. */
    readonly offloads: OffloadConfig,
  ) {
    this.model = model;
  }

  /** Opens every device and starts forwarding; on failure nothing stays open. @throws DeviceError */
  static async start(config: SwitchConfig, events: SwitchEvents): Promise<Switch> {
    const offloads = usable(config.offloads, events);
    const devices = new Devices({ workers: config.workers, offloads, seed: randomInt(1 << 20) });
    let engines: Engines | undefined;
    try {
      const { model, operations } = compile(config, devices);
      engines = new Engines(
        { workers: config.workers, busyPoll: config.busyPoll, offloads, fdb: { seed: randomInt(2 ** 31) } },
        {
          portLost(port, errno) {
            model.lost.add(port);
            events.portLost(model.ports[port].name, errno);
          },
          offloadLost: (offload) => events.offloadLost(offload),
          failed: (error) => events.failed(error),
        },
      );
      await engines.apply(operations);
      return new Switch(model, engines, devices, offloads);
    } catch (error) {
      await engines?.stop();
      devices.close();
      throw error;
    }
  }

  get sources(): Sources {
    const { counters, remotes, fdb } = this.engines;
    return { model: this.model, counters, remotes, fdb };
  }

  /** Ends forwarding and closes every device; a TAP that is not persistent goes with it. */
  async stop(): Promise<void> {
    await this.engines.stop();
    this.devices.close();
  }
}

/** What the configuration allows and the kernel has. */
function usable(wanted: OffloadConfig, events: SwitchEvents): OffloadConfig {
  const found = selfTest();
  const has = (name: 'tso' | 'udpSegment' | 'udpGro' | 'vnetHeader', option: string): boolean => {
    if (wanted[name] && !found[name]) events.offloadMissing(option, found.reasons[name] ?? 'the kernel lacks it');
    return wanted[name] && found[name];
  };
  const vnetHeader = has('vnetHeader', 'vnet_header');
  return {
    vnetHeader,
    tso: vnetHeader && has('tso', 'tso'),
    udpSegment: has('udpSegment', 'udp_segment'),
    udpGro: has('udpGro', 'udp_gro'),
  };
}
