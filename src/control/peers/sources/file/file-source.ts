/** The remotes, MACs and bindings of a watched file. A file with a fault changes nothing: what it said before stays. */
import { readText } from '../../../../config/read/file.js';
import { forget } from '../../../guard.js';
import { Health } from '../health.js';
import { ownerName, SourceRows } from '../rows.js';
import type { PeerSource, SourcePort, SourceSite, SourceStatus } from '../source.js';
import { readPeerFile } from './peer-file.js';
import { WatchedFile } from './watched-file.js';

export class FileSource implements PeerSource {
  readonly name: string;
  private readonly rows: SourceRows;
  private readonly health: Health;
  private readonly watched: WatchedFile;
  /** The last text without a fault, for a port with other VNIs. */
  private good: string | null = null;

  constructor(
    private readonly path: string,
    private port: SourcePort,
    private readonly site: SourceSite,
  ) {
    this.name = `file ${path}`;
    this.rows = new SourceRows(site.tables.owner(ownerName(this.name, port)), site.graceMs());
    this.health = new Health((reason, heldBack) => site.say(this.port.name, this.name, reason, heldBack));
    this.watched = new WatchedFile(path, () => this.read());
  }

  follow(port: SourcePort): void {
    this.port = port;
    if (this.good !== null) this.take(this.good);
    this.rows.retry();
  }

  status(): SourceStatus {
    const { state, spokeAt, fault } = this.health;
    return { source: this.name, state, ...this.rows.counts, spokeAt, fault: fault ?? this.rows.refusal };
  }

  stop(): void {
    this.watched.stop();
    this.rows.stop();
  }

  clear(): Promise<void> {
    return this.rows.clear();
  }

  private read(): void {
    let text: string;
    try {
      text = readText(this.path, { regularFile: true });
    } catch (error) {
      this.health.failed(reasonOf(error), true);
      return;
    }
    if (text === this.good && this.health.fault === null) this.health.spoke();
    else this.take(text);
  }

  private take(text: string): void {
    try {
      const rows = readPeerFile(text, this.path, this.port, this.site);
      this.good = text;
      this.health.spoke();
      forget('peers file', this.rows.become(rows));
    } catch (error) {
      this.health.failed(reasonOf(error), true);
    }
  }
}

/** The first faults: a log line has room for no more. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split('\n');
  return lines.length > 1 ? `${lines[0]} (and ${lines.length - 1} more)` : text;
}
