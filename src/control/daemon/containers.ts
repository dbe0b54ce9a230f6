/**
 * The drivers for container engines that the configuration asks for, with what they need from the switch.
 */
import type { SwitchConfig } from '../../config/types.js';
import { CNI_PREFIX, cniPlugin } from '../cni/cni.js';
import type { SwitchAccess } from '../containers/contract.js';
import { type Service, type ServiceParts, startService } from '../containers/service.js';
import { DOCKER_PREFIX, dockerPlugin } from '../docker/docker.js';
import type { Logger } from '../log/logger.js';
import type { Switch } from '../switch.js';

type Drivers = Pick<ServiceParts, 'name' | 'prefix' | 'prunes' | 'socket' | 'state' | 'plugin'>;

/**
 * Starts the drivers.
 * @param succeeds this process has the switch of another one: it goes on without a driver rather than not at all
 * @throws RecordsError, ControlSocketError
 */
export async function driversOf(
  config: SwitchConfig,
  running: Switch,
  log: Logger,
  succeeds: boolean,
): Promise<Service[]> {
  const services: Service[] = [];
  try {
    for (const driver of wanted(config)) {
      const service = await startService({ ...driver, ...surroundings(running, log) }, succeeds).catch((error) => {
        if (!succeeds) throw error;
        log.error({ err: error, driver: driver.name }, 'a driver cannot be started; the switch goes on without');
        return null;
      });
      if (service !== null) services.push(service);
    }
    return services;
  } catch (error) {
    for (const service of services) service.close();
    throw error;
  }
}

function wanted({ docker, cni }: SwitchConfig): Drivers[] {
  const drivers: Drivers[] = [];
  if (docker !== undefined)
    drivers.push({
      ...docker,
      name: 'docker',
      prefix: DOCKER_PREFIX,
      prunes: false,
      plugin: (attachments) => dockerPlugin(docker.bridge, attachments),
    });
  if (cni !== undefined)
    drivers.push({
      ...cni,
      name: 'cni',
      prefix: CNI_PREFIX,
      prunes: true,
      plugin: (attachments) => cniPlugin(cni.bridge, attachments),
    });
  return drivers;
}

function surroundings(running: Switch, log: Logger): Pick<ServiceParts, 'access' | 'log' | 'report' | 'begin'> {
  return {
    access: accessTo(running),
    log,
    report: (error) => log.error({ err: error }, 'a request about a container has failed'),
    begin: (attachments) => running.controls.keepBy(attachments),
  };
}

function accessTo({ controls, model }: Switch): SwitchAccess {
  return {
    get config() {
      return model.config;
    },
    revise: (change) => controls.revise(change),
    hasNic(name) {
      const port = model.ports.get(name);
      return port !== undefined && !model.lost.has(port.index);
    },
  };
}
