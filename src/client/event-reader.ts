/**
 * Parser of `/v1/events` (server-sent events). It buffers at most one incomplete message and applies back-pressure: for a slow
 * reader the switch drops events and reports them as `lost`, so memory here is bounded. It opens nothing.
 */
import type { SwitchEvent } from '../api/api.js';

/** Maximum characters of a message; a switch sends none that is longer. */
const MAX_MESSAGE = 1024 * 1024;

/** The data is not a stream of switch events. */
export class NoEvents extends Error {
  override readonly name = 'NoEvents';
}

/**
 * Reads server-sent events from text in pieces of any size.
 * @param opened called once, with the first message or comment: from then on no event is missed
 * @throws NoEvents
 */
export async function* readEvents(
  chunks: AsyncIterable<Uint8Array>,
  opened: () => void = () => undefined,
): AsyncGenerator<SwitchEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let begun = false;
  for await (const chunk of chunks) {
    const messages = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = messages.pop() ?? '';
    if (rest.length > MAX_MESSAGE) throw new NoEvents('a message without an end');
    if (!begun && messages.length > 0) {
      begun = true;
      opened();
    }
    for (const message of messages) {
      const event = eventOf(message);
      if (event !== null) yield event;
    }
  }
}

/** @returns null for a message of comments only */
function eventOf(message: string): SwitchEvent | null {
  const data = message
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(line.startsWith('data: ') ? 6 : 5));
  if (data.length === 0) return null;
  try {
    return JSON.parse(data.join('\n')) as SwitchEvent;
  } catch {
    throw new NoEvents('a message that is not JSON');
  }
}
