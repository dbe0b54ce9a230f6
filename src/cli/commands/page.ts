/**
 * `overtap page`: serves the live page until it is interrupted. It names the switches and puts the rooms together: what is shown comes
 * from `src/page`, the lab from `src/lab`, and everything of a switch over its control socket.
 */
import type { SwitchClient } from '../../client/client.js';
import type { PageOptions, Questions, Site } from '../../page/page.js';
import { type ListenAddress, readListenAddress } from '../../values/access.js';
import { Refusal } from '../../values/address.js';
import type { Context, Invocation } from '../context.js';
import { UsageError } from '../errors.js';
import { formatEvent } from '../format/event.js';
import { pageQuestions } from '../requests/page-questions.js';

/** Names of switches on the page: without blanks, which stand between names there. */
const NAME = /^[\w.-]{1,64}$/;
/** Of a request to a switch, while a browser waits. */
const DEADLINE_MS = 5000;
/** No listing that the page asks for is longer: see `page/server/watcher.ts`. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

export async function run({ context, words, options }: Invocation): Promise<number> {
  const listen = listenOption(options.listen);
  if (words.length === 0) return serve(context, listen, await ownSwitch(context));
  if (words.some((word) => word.includes('='))) return serve(context, listen, await namedSwitches(context, words));
  if (words.length > 1) throw new UsageError(`"page" takes the name of one lab, not "${words.join(' ')}"`);
  return servePageOfLab(context, words[0] as string, options.listen);
}

/** Serves the page of a lab that is up. @param listen as the option has it */
export async function servePageOfLab(context: Context, word: string, listen: string | undefined): Promise<number> {
  const at = listenOption(listen);
  const lab = await context.rooms.lab();
  const name = lab.labNameOf(word);
  const { switches, guests } = await lab.labSite(name);
  const shown = await Promise.all(
    switches.map(async ({ name: host, socket }) => ({ name: host, client: await connect(socket) })),
  );
  const site: Site = { title: `lab ${name}`, switches: shown.map((one) => one.name), lab: true, guests };
  const send = lab.sendInto(name);
  return serve(context, at, { site, switches: shown, questions: pageQuestions(shown, send) });
}

type Shown = Pick<PageOptions, 'site' | 'switches' | 'questions'>;

async function serve(context: Context, { address, port }: ListenAddress, shown: Shown): Promise<number> {
  const { servePage } = await context.rooms.page();
  const signal = context.io.interrupted?.() ?? new AbortController().signal;
  const page = await servePage({
    ...shown,
    host: address,
    port,
    describe: formatEvent,
    report: (fault) => context.warn(`overtap: page: ${fault instanceof Error ? fault.message : String(fault)}`),
  });
  if (context.json) context.printJson({ url: page.url });
  else context.line(`open in a browser on this machine; Ctrl-C ends it:\n${page.url}`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await page.close();
  return 0;
}

async function ownSwitch(context: Context): Promise<Shown> {
  const given = await context.client();
  const { name: configured } = await given.get('/v1/info'); // says at once when none answers
  const name = NAME.test(configured) ? configured : 'switch';
  return shownOf(name, [{ name, client: await connect(given.socketPath) }]);
}

/** Words of the form NAME=SOCKET. */
async function namedSwitches(_context: Context, words: readonly string[]): Promise<Shown> {
  const switches = await Promise.all(
    words.map(async (word) => {
      const [, name = '', socket = ''] = /^([^=]*)=(.*)$/.exec(word) ?? [];
      if (!NAME.test(name) || socket === '')
        throw new UsageError(
          `"page" takes NAME=SOCKET for each switch, such as h1=/run/overtap/h1.sock; not "${word}"`,
        );
      return { name, client: await connect(socket) };
    }),
  );
  const names = switches.map((one) => one.name);
  if (new Set(names).size < names.length) throw new UsageError('each switch of the page needs a name of its own');
  return shownOf(names.join(', '), switches);
}

function shownOf(title: string, switches: readonly { name: string; client: SwitchClient }[]): Shown {
  const site: Site = { title, switches: switches.map((one) => one.name), lab: false, guests: [] };
  return { site, switches, questions: pageQuestions(switches, undefined) satisfies Questions };
}

async function connect(socket: string): Promise<SwitchClient> {
  const { createClient } = await import('../../client/client.js');
  return createClient(socket, { deadlineMs: DEADLINE_MS, maxAnswerBytes: MAX_ANSWER_BYTES, keepAlive: true });
}

/** The page shows frames of guests, and in a lab sends some: it is for this machine alone. */
function listenOption(text: string | undefined): ListenAddress {
  if (text === undefined) return { address: '127.0.0.1', port: 0 };
  const at = readListenAddress(text);
  if (at instanceof Refusal) throw new UsageError(`--listen: ${at.message}`);
  if (at.address !== '127.0.0.1' && at.address !== '::1') {
    const remedy = 'to see it from another machine, forward the port: ssh -L PORT:127.0.0.1:PORT HOST';
    throw new UsageError(`--listen takes 127.0.0.1:PORT or [::1]:PORT, since the page is for this machine; ${remedy}`);
  }
  return at;
}
