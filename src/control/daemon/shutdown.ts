/**
 * Shutdown on SIGTERM, SIGINT, SIGQUIT or a failure. The first signal starts an orderly shutdown; a second signal, or a
 * timeout, ends the process at once.
 */
import { guarded } from '../guard.js';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
/** Time limit of an orderly shutdown in milliseconds. It normally takes less than a second; a busy machine gets more. */
const PATIENCE_MS = 5000;

export class Shutdown {
  /** The exit status, once shutdown has begun. */
  readonly status: Promise<number>;
  private resolve: (status: number) => void = () => undefined;
  private begun = false;
  private patience: NodeJS.Timeout | undefined;

  /** @param force ends the process at once */
  constructor(private readonly force: (reason: string) => void) {
    this.status = new Promise((resolve) => {
      this.resolve = resolve;
    });
    for (const signal of SIGNALS)
      process.on(
        signal,
        guarded(signal, () => this.signalled(signal)),
      );
  }

  /** Whether shutdown has begun. */
  get isBegun(): boolean {
    return this.begun;
  }

  begin(status: number): void {
    if (this.begun) return;
    this.begun = true;
    this.patience = setTimeout(
      guarded('end', () => this.force(`the end took more than ${PATIENCE_MS / 1000} s`)),
      PATIENCE_MS,
    );
    this.patience.unref();
    this.resolve(status);
  }

  /** All resources are closed. Signal handlers remain until the process has exited. */
  done(): void {
    clearTimeout(this.patience);
  }

  private signalled(signal: string): void {
    if (this.begun) this.force(`${signal} came a second time`);
    else this.begin(0);
  }
}
