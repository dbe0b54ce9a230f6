/** The page's server, as the browser reaches it. The token is the one of the page's own address. */
import type { MessageName, Messages, SendAsked, TraceAsked } from '../model/messages.js';

const token = new URLSearchParams(location.search).get('token') ?? '';
const address = (path: string): string => `${path}?token=${encodeURIComponent(token)}`;

const RETRY_MS = 3000;

const NAMES: readonly MessageName[] = ['site', 'part', 'happenings', 'passages', 'gap'];

/** Follows the stream for as long as the page is open. */
export function follow(
  take: <M extends MessageName>(name: M, message: Messages[M]) => void,
  connected: (is: boolean) => void,
): void {
  const source = new EventSource(address('/events'));
  source.addEventListener('open', () => connected(true));
  source.addEventListener('error', () => {
    connected(false);
    // A lost connection is made again by the browser; an answer that refuses it is final, unless it is asked for anew.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(take, connected), RETRY_MS);
  });
  for (const name of NAMES)
    source.addEventListener(name, (event: MessageEvent<string>) => take(name, JSON.parse(event.data)));
}

/** @throws Error with the reason of the refusal */
async function ask(path: string, body: unknown): Promise<unknown> {
  const answer = await fetch(address(path), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const said: unknown = await answer.json().catch(() => undefined);
  if (answer.ok) return said;
  const reason = typeof said === 'object' && said !== null && 'error' in said ? String(said.error) : answer.statusText;
  throw new Error(reason);
}

export const askTrace = (asked: TraceAsked): Promise<unknown> => ask('/trace', asked);
export const askSend = (asked: SendAsked): Promise<unknown> => ask('/send', asked);
