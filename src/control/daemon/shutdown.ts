/**
 * The end of a run: SIGTERM, SIGINT or SIGQUIT, or a failure. The first of them begins an orderly end; a second signal, or
 * an end that takes too long, ends the process at once.
 */
import { guarded } from '../guard.js';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
/** Milliseconds for an orderly end. It is meant to take less than one second; a machine that is busy gets more. */
const PATIENCE_MS = 5000;

export class Shutdown {
  /** The exit status, once the end has begun. */
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

  /** Whether the end has begun. */
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

  /** Everything is closed. The signals stay answered until the process is gone. */
  done(): void {
    clearTimeout(this.patience);
  }

  private signalled(signal: string): void {
    if (this.begun) this.force(`${signal} came a second time`);
    else this.begin(0);
  }
}
