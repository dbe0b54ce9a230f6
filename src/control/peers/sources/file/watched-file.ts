/**
 * Watches one file: by inotify on its folder, which also tells of a file that is put in its place by rename, and by a look every two seconds,
 * for folders that are not there yet and for file systems without inotify. Never blocks: a pipe or a device is not opened.
 */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { every, guarded } from '../../../guard.js';

/** Milliseconds between two looks without a sign. */
const LOOK_MS = 2000;
/** Milliseconds from a sign to the look: an editor makes several, and a busy folder many. */
const SETTLE_MS = 50;
/** Milliseconds: a file that was written shorter ago may be written to again within the same tick of its clock. */
const FRESH_MS = 100;
/** A file whose reading takes long is read again after so many times that long: who writes it all the time does not hold up the thread. */
const REST = 10;

export class WatchedFile {
  private watcher: FSWatcher | null = null;
  /** The folder that is watched, by device and inode. */
  private folder = '';
  /** What the file was when it was read last. */
  private seen: string | null = null;
  private timer: NodeJS.Timeout | null = null;
  private readonly clock: NodeJS.Timeout;
  /** Not looked at until then, in the clock of `performance.now`. */
  private restsUntil = 0;

  /** @param changed reads the file; also called for one that is missing, once, and at the start */
  constructor(
    private readonly path: string,
    private readonly changed: () => void,
  ) {
    this.clock = every('peers file', LOOK_MS, () => this.look());
    this.soon(0);
  }

  stop(): void {
    clearInterval(this.clock);
    if (this.timer !== null) clearTimeout(this.timer);
    this.watcher?.close();
    this.watcher = null;
  }

  private soon(ms: number): void {
    if (this.timer !== null) return;
    const work = (): void => {
      this.timer = null;
      this.look();
    };
    this.timer = setTimeout(guarded('peers file', work), ms);
    this.timer.unref();
  }

  private look(): void {
    this.watchFolder();
    const now = performance.now();
    if (now < this.restsUntil) {
      this.soon(this.restsUntil - now);
      return;
    }
    const { text, age } = signatureOf(this.path);
    if (text === this.seen) return;
    this.seen = text;
    this.changed();
    const done = performance.now();
    this.restsUntil = done + REST * (done - now);
    if (age >= FRESH_MS) return;
    this.seen = null;
    this.soon(FRESH_MS);
  }

  /** The folder may be another one than before, as when a link to it was changed. */
  private watchFolder(): void {
    const folder = dirname(this.path);
    const now = signatureOf(folder, true).text;
    if (this.watcher !== null && now === this.folder) return;
    this.watcher?.close();
    this.watcher = null;
    this.folder = now;
    try {
      this.watcher = watch(
        folder,
        { persistent: false },
        guarded('peers file', () => this.soon(SETTLE_MS)),
      );
      this.watcher.on('error', () => {
        this.watcher?.close();
        this.watcher = null;
      });
    } catch {
      // No such folder, or no inotify: the clock looks again.
    }
  }
}

/** What tells one state of a file from another. @param age milliseconds since it was written */
function signatureOf(path: string, isFolder = false): { text: string; age: number } {
  try {
    const stats = statSync(path, { bigint: true });
    const { dev, ino, size, mtimeNs, ctimeNs } = stats;
    const place = `${dev} ${ino}`;
    if (isFolder) return { text: place, age: Number.POSITIVE_INFINITY };
    return { text: `${place} ${size} ${mtimeNs} ${ctimeNs}`, age: Math.abs(Date.now() - Number(ctimeNs / 1_000_000n)) };
  } catch (error) {
    return { text: (error as NodeJS.ErrnoException).code ?? 'error', age: Number.POSITIVE_INFINITY };
  }
}
