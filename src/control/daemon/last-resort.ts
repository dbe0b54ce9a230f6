/**
 * The process's last exception handlers, for faults of the control thread outside any guard. Such a fault is counted and
 * logged; the switch continues, since its engines are threads of their own.
 */
import { caught, reportFaults } from '../guard.js';
import type { Logger } from '../log/logger.js';

/** Installs the handlers. Node's warnings are redirected to the log, because standard error may block. */
export function keepRunning(logger: Logger): void {
  reportFaults((place, error, count) =>
    logger.error({ place, count, err: error }, 'a fault in the control thread was caught; the switch goes on'),
  );
  process.on('uncaughtException', (error) => caught('uncaught exception', error));
  process.on('unhandledRejection', (error) => caught('unhandled rejection', error));
  process.removeAllListeners('warning');
  process.on('warning', (warning) => logger.warn({ warning: warning.message }, 'a warning of Node'));
}
