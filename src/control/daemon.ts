/**
 * `overtap run`: a switch and its control socket in the foreground, until a signal ends it.
 */
import type { CheckedDocument } from '../config/load.js';
import { DeviceError } from './device-error.js';
import { ControlSocketError, claimSocket, serve } from './http/server.js';
import { createLogger, type Logger } from './logger.js';
import { Switch } from './switch.js';
import { programVersion } from './version.js';

export interface RunOptions {
  logLevel: string;
}

const EXIT_OK = 0;
const EXIT_REFUSED = 1;

/** Runs the switch. @returns the exit status, once everything that it opened is closed */
export async function runDaemon({ document, config, warnings }: CheckedDocument, options: RunOptions): Promise<number> {
  const log = createLogger(config.name, options.logLevel);
  const end = new Ending();
  try {
    await claimSocket(config.control);
    for (const { kind, path, message } of warnings) if (kind === 'own_address') log.info({ path }, message);
    const running = await Switch.start(document, config, {
      portFault: (port, fault) =>
        fault === null ? log.info({ port }, 'port up again') : log.warn({ port, fault }, 'port down'),
      offloadMissing: (offload, reason, asked) =>
        log[asked ? 'warn' : 'info']({ offload, reason }, 'offload not available: doing without'),
      offloadHeldBack: (offload, reason) => log.info({ offload, reason }, 'offload not used for the time being'),
      offloadLost: (offload) => log.warn({ offload }, 'offload failed and is not used any more'),
      unknownVtep: ({ port, address, vni, count }, heldBack) =>
        log.warn(
          { port, address, vni, count, heldBack },
          'datagrams dropped: their sender is no remote of the port (vtep_unknown); add it to remotes or peers if it is a VTEP of yours',
        ),
      macMoves: (moves, heldBack) =>
        log.warn({ ...moves, heldBack }, 'a MAC moves between ports: a loop, or two guests with one MAC'),
      ownTunnel: ({ port, bridge, remote }) =>
        log.warn(
          { port, bridge, remote },
          `the route to remote ${remote} leads into ${bridge === undefined ? `port ${port}` : `bridge ${bridge}`}: the switch does not carry its own tunnel (own_tunnel); give the remote a route by another device`,
        ),
      failed: (error) => {
        log.fatal({ err: error }, 'the engine has failed');
        end.with(EXIT_REFUSED);
      },
    });
    try {
      return await serveUntilEnd(config, running, log, end);
    } finally {
      await running.stop();
      log.info('stopped');
    }
  } catch (error) {
    if (!(error instanceof DeviceError || error instanceof ControlSocketError)) throw error;
    process.stderr.write(`overtap: ${error.message}\n`);
    return EXIT_REFUSED;
  } finally {
    end.forget();
  }
}

async function serveUntilEnd(
  config: CheckedDocument['config'],
  running: Switch,
  log: Logger,
  end: Ending,
): Promise<number> {
  const info = { name: config.name, version: programVersion(), pid: process.pid };
  const server = await serve(config.control, running.views(info), running.controls, {
    report: (error) => log.error({ err: error }, 'a request has failed'),
  });
  try {
    for (const port of running.model.ports.values()) {
      if (port.kind === 'tap')
        log.info(
          { port: port.name, ifname: port.tap.ifname, netns: port.config.netns, mac: port.tap.mac, mtu: port.tap.mtu },
          'tap port',
        );
      else
        log.info(
          {
            port: port.name,
            local: port.config.local,
            dstport: port.config.dstport,
            vnis: port.vnis.length,
            mtu: port.mtu,
          },
          'vxlan port',
        );
    }
    log.info({ workers: config.workers, ...running.offloads }, 'engine');
    log.info({ control: config.control, pid: process.pid }, 'ready');
    return await end.status;
  } finally {
    await server.close();
  }
}

/** What ends the run: a signal, or a failure. */
class Ending {
  readonly status: Promise<number>;
  private resolve: (status: number) => void = () => undefined;
  private readonly onSignal = (): void => this.with(EXIT_OK);

  constructor() {
    this.status = new Promise((resolve) => {
      this.resolve = resolve;
    });
    process.on('SIGTERM', this.onSignal);
    process.on('SIGINT', this.onSignal);
  }

  with(status: number): void {
    this.resolve(status);
  }

  forget(): void {
    process.off('SIGTERM', this.onSignal);
    process.off('SIGINT', this.onSignal);
  }
}
