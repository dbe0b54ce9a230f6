/**
 * What no guard has caught: a fault of the control thread outside of every place that has one. It is counted and logged, and
 * the switch goes on, since its engines are threads of their own.
 */
import { caught, reportFaults } from '../guard.js';
import type { Logger } from '../log/logger.js';

/** Sets up the process's last handlers. Node's warnings go to the log, not to a standard error that may block. */
export function keepRunning(logger: Logger): void {
  reportFaults((place, error, count) =>
    logger.error({ place, count, err: error }, 'a fault in the control thread was caught; the switch goes on'),
  );
  process.on('uncaughtException', (error) => caught('uncaught exception', error));
  process.on('unhandledRejection', (error) => caught('unhandled rejection', error));
  process.removeAllListeners('warning');
  process.on('warning', (warning) => logger.warn({ warning: warning.message }, 'a warning of Node'));
}
