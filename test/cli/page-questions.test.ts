/** The questions of the live page, at switches that the test stands in for. */
import { describe, expect, it } from 'vitest';
import { pageQuestions } from '../../src/cli/requests/page-questions.js';
import type { SwitchClient } from '../../src/client/client.js';
import { PageRefusal } from '../../src/page/page.js';

const FRAME = '020000000002020000000001080045000020';
const ANSWER = { port: 'tap1', steps: [], verdict: 'dropped', copies: [], decided_by: [], frame: FRAME };

/** @returns the questions, and what came of them */
function made(answer: (path: string, body: unknown) => unknown = () => ANSWER) {
  const posts: unknown[] = [];
  const sent: unknown[] = [];
  const client = (name: string): SwitchClient =>
    ({
      post: async (path: string, body: unknown) => {
        posts.push([name, path, body]);
        return answer(path, body);
      },
      get: async () => [],
    }) as unknown as SwitchClient;
  const switches = ['h1', 'h2'].map((name) => ({ name, client: client(name) }));
  const send = async (at: unknown, frame: Uint8Array, times: number): Promise<void> =>
    void sent.push([at, Buffer.from(frame).toString('hex'), times]);
  return { questions: pageQuestions(switches, send), posts, sent };
}

describe('/trace', () => {
  it('passes a description on to the switch that is meant', async () => {
    const { questions, posts } = made();
    const answer = await questions['/trace']({ switch: 'h2', port: 'tap1', frame: ' icmp ' });
    expect(answer).toMatchObject({ verdict: 'dropped' });
    expect(posts).toEqual([['h2', '/v1/trace', { port: 'tap1', description: 'icmp', frames: true }]]);
  });

  it('passes bytes on with their sender, and zeros for what was not kept of them', async () => {
    const { questions, posts } = made();
    const asked = { switch: 'h1', port: 'vxlan0', frame: FRAME, length: 20, remote: '192.0.2.2', vni: 7 };
    await questions['/trace'](asked);
    const frame = `${FRAME}0000`;
    expect(posts).toEqual([['h1', '/v1/trace', { port: 'vxlan0', frame, from: '192.0.2.2', vni: 7, frames: true }]]);
  });

  it('has the reason of a refusal', async () => {
    const { questions } = made(() => {
      throw new Error('character 1: expected what the frame carries');
    });
    const refused = questions['/trace']({ switch: 'h1', port: 'tap1', frame: 'nonsense' });
    await expect(refused).rejects.toThrow(new PageRefusal(409, 'character 1: expected what the frame carries'));
  });

  it.each([null, 7, 'text', [], {}, { switch: 'h1' }, { switch: 'h1', port: 7, frame: '' }, { switch: '__proto__' }])(
    'refuses %j',
    async (body) => {
      const { questions, posts } = made();
      await expect(questions['/trace'](body)).rejects.toBeInstanceOf(PageRefusal);
      expect(posts).toEqual([]);
    },
  );
});

describe('/send', () => {
  it('sends bytes as they are, and of a description those that the switch makes of it', async () => {
    const { questions, posts, sent } = made();
    const at = { switch: 'h1', port: 'tap1' };
    expect(await questions['/send']({ ...at, frame: 'ab'.repeat(14), count: 3 })).toEqual({ sent: 3, bytes: 14 });
    expect(posts).toEqual([]);
    expect(await questions['/send']({ ...at, frame: 'icmp', count: 1 })).toEqual({ sent: 1, bytes: 18 });
    expect(posts).toEqual([['h1', '/v1/trace', { port: 'tap1', description: 'icmp' }]]);
    expect(sent).toEqual([
      [at, 'ab'.repeat(14), 3],
      [at, FRAME, 1],
    ]);
  });

  it.each([0, -1, 1.5, 1001, '1', null])('refuses to send %j times', async (count) => {
    const { questions, sent } = made();
    const asked = { switch: 'h1', port: 'tap1', frame: FRAME, count };
    await expect(questions['/send'](asked)).rejects.toThrow('count must be a number from 1 to 1000');
    expect(sent).toEqual([]);
  });
});
