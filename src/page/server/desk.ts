/**
 * Joins the watchers of the switches with the browsers: what every browser gets when it comes, and each change after that. The
 * switches are watched only while a browser watches the page.
 */
import type { SwitchEvent } from '../../api/api.js';
import type { SwitchClient } from '../../client/client.js';
import type { Messages, PartName, Parts, Site } from '../model/messages.js';
import { BrowserStreams, type Send } from './browser-streams.js';
import { Watcher } from './watcher.js';

export interface ShownSwitch {
  readonly name: string;
  readonly client: SwitchClient;
}

export class Desk {
  readonly streams: BrowserStreams;
  private readonly watchers: ReadonlyMap<string, Watcher>;

  constructor(
    private readonly site: Site,
    switches: readonly ShownSwitch[],
    describe: (event: SwitchEvent) => string,
  ) {
    this.streams = new BrowserStreams(
      (send) => this.tellAll(send),
      (isWatched) => {
        for (const watcher of this.watchers.values()) isWatched ? watcher.start() : watcher.stop();
      },
    );
    this.watchers = new Map(switches.map((one) => [one.name, this.watcherOf(one, describe)]));
  }

  close(): void {
    for (const watcher of this.watchers.values()) watcher.stop();
  }

  private watcherOf({ name, client }: ShownSwitch, describe: (event: SwitchEvent) => string): Watcher {
    return new Watcher({
      name,
      client,
      describe,
      changed: (part, value) => this.streams.send('part', partOf(name, part, value)),
      happened: (list) => this.streams.send('happenings', { switch: name, list }),
      passed: (list, missed) => this.streams.send('passages', { switch: name, list, missed }),
    });
  }

  private tellAll(send: Send): void {
    send('site', this.site);
    for (const [name, { parts }] of this.watchers)
      for (const part of Object.keys(parts) as PartName[]) {
        const value = parts[part];
        if (value !== undefined) send('part', partOf(name, part, value));
      }
  }
}

/** The compiler does not follow that part and value belong together. */
const partOf = <P extends PartName>(name: string, part: P, value: Parts[P]): Messages['part'] =>
  ({ switch: name, part, value }) as unknown as Messages['part'];
