/**
 * What the labs need from outside: how a switch is run and reached, and where states are kept. Types only.
 */

/** The switch's client, as far as the labs use it. */
export interface SwitchClient {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
}

/** What the labs need from outside, so that tests can put something else in its place. */
export interface Workshop {
  /** The folder that holds one folder for each lab that is up. */
  readonly root: string;
  /** Program and first arguments that run a switch; `-c FILE` follows. */
  readonly switchCommand: readonly string[];
  connect(socket: string): SwitchClient;
}
