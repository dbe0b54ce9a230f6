/**
 * `overtap run`: a switch and its control socket in the foreground, until a signal.
 */
import { isatty } from 'node:tty';
import { LOG_LEVELS } from '../../api/switch.js';
import type { LogLevel } from '../../api/api.js';
import type { CheckedDocument } from '../../config/load.js';
import { collectGarbage, exitAtOnce, releaseStartPages } from '../../port/process.js';
import { printable } from '../../text/printable.js';
import { attempt, faultCounts, forget } from '../guard.js';
import { TakeOverError } from '../handover/taker.js';
import { RecordsError } from '../containers/records.js';
import type { Service } from '../containers/service.js';
import { ControlSocketError, examineSocket } from '../http/control-socket.js';
import { MetricsServer } from '../http/metrics-server.js';
import { type ControlServer, serve } from '../http/server.js';
import { accessOf, type SocketAccess } from '../http/socket-access.js';
import type { Views } from '../listings.js';
import { ChangeLog } from '../log/change-log.js';
import { createLog, type Log, type Logger } from '../log/logger.js';
import { DeviceError } from '../model/device-error.js';
import { Switch } from '../switch.js';
import { driversOf } from './containers.js';
import { HandOver } from './hand-over.js';
import { journalOf, reload } from './journal.js';
import { keepRunning } from './last-resort.js';
import { giveUpRights } from './rights.js';
import { ServiceManager } from './service-manager.js';
import { Shutdown } from './shutdown.js';
import { Signals, setLevel } from './signals.js';
import { stateOf, statusText } from './state-line.js';
import { type Estate, inheritStderr, takeEstate } from './take-over.js';
import { eventLines, logPorts } from './switch-log.js';
import { programVersion } from './version.js';

export interface RunOptions {
  logLevel: string;
  /** Takes over the switch that runs at the control socket. */
  takeOver: boolean;
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
  /** Of the process before; null: all is opened. */
  readonly estate: Estate | null;
  readonly options: RunOptions;
  readonly log: Log;
  readonly shutdown: Shutdown;
  readonly signals: Signals;
  readonly manager: ServiceManager;
  /** Set once the control socket is open. */
  server: ControlServer | null;
  /** For container engines; open once the switch forwards. */
  drivers: Service[];
  /** Another process has the switch. */
  isGiven: boolean;
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
  const signals = new Signals(log.logger);
  const run: Run = {
    ...checked,
    estate: null,
    options,
    log,
    shutdown,
    signals,
    manager,
    server: null,
    drivers: [],
    isGiven: false,
  };
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
    // A former process whose switch was to be taken over hears why, and goes on.
    await run.estate?.taker.giveUp((error as Error).message);
    const isExpected = [DeviceError, ControlSocketError, RecordsError, TakeOverError].some(
      (kind) => error instanceof kind,
    );
    if (!isExpected || !(error instanceof Error)) throw error;
    run.manager.refused(error.message);
    process.stderr.write(printable(`overtap: ${error.message}\n`));
    return EXIT_REFUSED;
  }
}

async function runSwitch(run: Run): Promise<number> {
  const { config, warnings, shutdown } = run;
  const log = run.log.logger;
  if (run.options.takeOver) await inherit(run);
  else await examineSocket(config.control);
  const access = accessOf(run.config);
  for (const { kind, path, message } of run.estate === null ? warnings : []) {
    if (kind === 'own_address') log.info({ path }, message);
    if (kind === 'own_tunnel' || kind === 'contradiction') log.warn({ path }, message);
  }
  const running = await startSwitch(run);
  try {
    return shutdown.isBegun ? await shutdown.status : await serveUntilEnd(run, running, access);
  } finally {
    run.signals.end();
    await (run.isGiven ? running.leave() : running.stop());
    log.info(run.isGiven ? 'left to the other process' : 'stopped');
  }
}

/** The running configuration takes the place of the file's. @throws TakeOverError */
async function inherit(run: Run): Promise<void> {
  const estate = await takeEstate(run.config.control);
  const { document, config, warnings } = estate;
  Object.assign(run, { document, config, warnings, estate });
  if (LOG_LEVELS.includes(estate.taker.plan.logLevel as LogLevel)) run.log.logger.level = estate.taker.plan.logLevel;
}

/** @throws DeviceError */
async function startSwitch({ document, config, estate, shutdown, log: { logger: log } }: Run): Promise<Switch> {
  const events = {
    ...eventLines(log),
    failed: (error: Error) => {
      log.fatal({ err: error }, 'the engine has failed');
      shutdown.begin(EXIT_REFUSED);
    },
  };
  return Switch.start(document, config, events, estate?.inheritance);
}

async function serveUntilEnd(run: Run, running: Switch, access: SocketAccess): Promise<number> {
  const { config, shutdown, signals, manager } = run;
  const log = run.log.logger;
  const views = viewsOf(run, running);
  const changes = new ChangeLog(log);
  const handOver = handOverOf(run, running);
  const server = await serve(config.control, views, running.controls, {
    access,
    journal: journalOf(changes, running),
    log: { level: () => log.level as LogLevel, set: (level, by) => setLevel(log, level, by) },
    report: (error) => log.error({ err: error }, 'a request has failed'),
    connectionRefused: onceInAWhile((reason) => log.warn({ reason }, 'connection to the control socket refused')),
    captureStalled: (lost) => log.warn({ lost }, 'a client of capture read nothing for a minute: disconnected'),
    tunnel: (request) => handOver.take(request),
    upgrade: (by) => handOver.upgrade(by),
    succeeds: run.estate !== null,
  });
  run.server = server;
  if (run.estate !== null) await takeOver(run.estate, running, server, log);
  const metrics = metricsServer(run, views);
  try {
    run.drivers = await driversOf(config, running, log, run.estate !== null);
    giveUpRights(config, log);
    logPorts(running, log);
    log.info({ workers: running.mode.workers, ...running.mode.offloads }, 'engine');
    log.info({ control: config.control, waiting: running.model.lost.size }, 'ready');
    manager.ready({ status: () => statusText(views.links()), engineTicks: () => running.engineTicks() });
    setTimeout(() => attempt('memory', giveBackMemory), SETTLED_MS).unref();
    const apply = reloader(run, running);
    signals.begin({
      reload: () => manager.reload(apply),
      logState: () => log.info(stateOf(views.stats(), views.links()), 'state'),
    });
    return await shutdown.status;
  } finally {
    await handOver.cancel();
    changes.stop();
    metrics?.close();
    for (const driver of run.drivers) driver.close();
    await server.close();
  }
}

/** The garbage first: collecting it uses pages that are given back then. */
function giveBackMemory(): void {
  collectGarbage();
  releaseStartPages();
}

/** @throws TakeOverError; the former process goes on */
async function takeOver({ taker }: Estate, running: Switch, server: ControlServer, log: Logger): Promise<void> {
  try {
    const { gap, entries } = await running.takeOver(taker, programVersion(), () => server.takeName());
    inheritStderr();
    log.info({ gap: gap === null ? undefined : Math.round(gap * 10) / 10, entries }, 'taken over');
    if (gap === null) log.warn('the former process died meanwhile: what it counted and learned is lost');
  } catch (error) {
    await server.close();
    throw error;
  }
}

function handOverOf(run: Run, running: Switch): HandOver {
  return new HandOver({
    running,
    log: run.log.logger,
    isEnding: () => run.shutdown.isBegun,
    given(pid) {
      run.isGiven = true;
      for (const driver of run.drivers) driver.givenAway();
      run.manager.successor(pid);
    },
    end: () => run.shutdown.begin(EXIT_OK),
  });
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
