/**
 * `overtap run`: a switch and its control socket in the foreground, until a signal.
 */
import { isatty } from 'node:tty';
import type { LogLevel } from '../../api/api.js';
import type { CheckedDocument } from '../../config/load.js';
import { exitAtOnce, releaseStartPages } from '../../port/process.js';
import { printable } from '../../text/printable.js';
import { attempt, faultCounts, forget } from '../guard.js';
import { ControlSocketError, examineSocket } from '../http/control-socket.js';
import { MetricsServer } from '../http/metrics-server.js';
import { type ControlServer, serve } from '../http/server.js';
import { accessOf, type SocketAccess } from '../http/socket-access.js';
import type { Views } from '../listings.js';
import { ChangeLog } from '../log/change-log.js';
import { createLog, type Log } from '../log/logger.js';
import { DeviceError } from '../model/device-error.js';
import { Switch } from '../switch.js';
import { journalOf, reload } from './journal.js';
import { keepRunning } from './last-resort.js';
import { giveUpRights } from './rights.js';
import { ServiceManager } from './service-manager.js';
import { Shutdown } from './shutdown.js';
import { Signals, setLevel } from './signals.js';
import { stateOf, statusText } from './state-line.js';
import { eventLines, logPorts } from './switch-log.js';
import { programVersion } from './version.js';

export interface RunOptions {
  logLevel: string;
  /** Reads the configuration file again. @throws ConfigError */
  reload(): CheckedDocument;
}

const EXIT_OK = 0;
const EXIT_REFUSED = 1;
/** Time limit in milliseconds for writing the last lines of the log; the switch should end within a second. */
const FLUSH_MS = 300;
/** Minimum milliseconds between two log lines about refused connections. */
const REFUSED_MS = 10_000;
/** Milliseconds from "ready" until the memory of the start is given back: by then the compilers are done with the start's code. */
const SETTLED_MS = 2000;
const STDOUT = 1;

/** State of a run, valid in every phase. */
interface Run extends CheckedDocument {
  readonly options: RunOptions;
  readonly log: Log;
  readonly shutdown: Shutdown;
  readonly signals: Signals;
  readonly manager: ServiceManager;
  /** Set once the control socket is open. */
  server: ControlServer | null;
}

/** Runs the switch. @returns the exit status, after all resources are closed and the log is written */
export async function runDaemon(checked: CheckedDocument, options: RunOptions): Promise<number> {
  const log = await createLog(checked.config.name, options.logLevel);
  keepRunning(log.logger);
  const shutdown = new Shutdown((reason) => {
    log.logger.fatal({ reason }, 'not waiting for an orderly end');
    attempt('end', () => run.server?.releaseName());
    exitAtOnce(EXIT_REFUSED);
  });
  const manager = ServiceManager.of(process.env, process.pid, (error) =>
    log.logger.warn({ err: error }, 'the service manager cannot be told anything; the switch goes on'),
  );
  forget(
    'end',
    shutdown.status.then(() => manager.stopping()),
  );
  const run: Run = { ...checked, options, log, shutdown, signals: new Signals(log.logger), manager, server: null };
  const status = await runOrRefuse(run);
  shutdown.done();
  // A write may block in the kernel forever, as on a network file system; the end does not wait for it.
  if (!(await log.flush(FLUSH_MS))) exitAtOnce(status);
  return status;
}

async function runOrRefuse(run: Run): Promise<number> {
  try {
    return await runSwitch(run);
  } catch (error) {
    if (!(error instanceof DeviceError || error instanceof ControlSocketError)) throw error;
    run.manager.refused(error.message);
    process.stderr.write(printable(`overtap: ${error.message}\n`));
    return EXIT_REFUSED;
  }
}

async function runSwitch(run: Run): Promise<number> {
  const { document, config, warnings, shutdown } = run;
  const log = run.log.logger;
  await examineSocket(config.control);
  const access = accessOf(config);
  for (const { kind, path, message } of warnings) {
    if (kind === 'own_address') log.info({ path }, message);
    if (kind === 'own_tunnel') log.warn({ path }, message);
  }
  const running = await Switch.start(document, config, {
    ...eventLines(log),
    failed: (error) => {
      log.fatal({ err: error }, 'the engine has failed');
      shutdown.begin(EXIT_REFUSED);
    },
  });
  try {
    return shutdown.isBegun ? await shutdown.status : await serveUntilEnd(run, running, access);
  } finally {
    run.signals.end();
    await running.stop();
    log.info('stopped');
  }
}

async function serveUntilEnd(run: Run, running: Switch, access: SocketAccess): Promise<number> {
  const { config, shutdown, signals, manager } = run;
  const log = run.log.logger;
  const views = viewsOf(run, running);
  const changes = new ChangeLog(log);
  const server = await serve(config.control, views, running.controls, {
    access,
    journal: journalOf(changes, running),
    log: { level: () => log.level as LogLevel, set: (level, by) => setLevel(log, level, by) },
    report: (error) => log.error({ err: error }, 'a request has failed'),
    connectionRefused: onceInAWhile((reason) => log.warn({ reason }, 'connection to the control socket refused')),
  });
  run.server = server;
  const metrics = metricsServer(run, views);
  try {
    giveUpRights(config, log);
    logPorts(running, log);
    log.info({ workers: running.mode.workers, ...running.mode.offloads }, 'engine');
    log.info({ control: config.control, waiting: running.model.lost.size }, 'ready');
    manager.ready({ status: () => statusText(views.links()), engineTicks: () => running.engineTicks() });
    setTimeout(() => attempt('memory', releaseStartPages), SETTLED_MS).unref();
    const apply = reloader(run, running);
    signals.begin({
      reload: () => manager.reload(apply),
      logState: () => log.info(stateOf(views.stats(), views.links()), 'state'),
    });
    return await shutdown.status;
  } finally {
    changes.stop();
    metrics?.close();
    await server.close();
  }
}

/** The server of `metrics`, if the configuration asks for one. */
function metricsServer({ config, log: { logger: log } }: Run, views: Views): MetricsServer | undefined {
  if (config.metrics === undefined) return undefined;
  return new MetricsServer(config.metrics, views, {
    listening: (metrics) => log.info({ metrics }, 'metrics'),
    waiting: (metrics, reason) =>
      log.warn({ metrics, reason }, 'metrics: the address cannot be used; the switch runs without, and tries again'),
    connectionRefused: onceInAWhile((reason) => log.warn({ reason }, 'connection to the metrics server refused')),
    report: (error) => log.error({ err: error }, 'a request for metrics has failed'),
  });
}

/** The listings of the switch, extended by facts about the control thread itself. */
function viewsOf(run: Run, running: Switch): Views {
  const views = running.views({ name: run.config.name, version: programVersion(), pid: process.pid });
  return {
    ...views,
    stats: () => ({
      ...views.stats(),
      control: {
        log_lost: run.log.lost(),
        connections_refused: run.server?.refused ?? 0,
        faults: faultCounts(),
      },
    }),
  };
}

/** SIGHUP is also sent when a terminal hangs up. */
function reloader({ options, shutdown, log: { logger } }: Run, running: Switch): () => Promise<void> | undefined {
  const hadTerminal = isatty(STDOUT);
  return () => {
    if (!hadTerminal || isatty(STDOUT)) return reload(options.reload, running, logger);
    logger.info({ by: 'SIGHUP' }, 'the terminal has gone: ending');
    shutdown.begin(EXIT_OK);
    return undefined;
  };
}

function onceInAWhile<A extends unknown[]>(work: (...args: A) => void): (...args: A) => void {
  let next = 0;
  return (...args) => {
    const now = performance.now();
    if (now < next) return;
    next = now + REFUSED_MS;
    work(...args);
  };
}
