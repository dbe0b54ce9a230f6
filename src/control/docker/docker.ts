/**
 * The network driver for Docker: its name for ports, and the form of its answers.
 */
import type { Attachments } from '../containers/attachments.js';
import type { Plugin } from '../containers/plugin-server.js';
import { DockerDriver } from './driver.js';

export const DOCKER_PREFIX = 'dk';

/** @param bridge that containers join */
export function dockerPlugin(bridge: string, attachments: Attachments): Plugin {
  const driver = new DockerDriver(bridge, attachments);
  return {
    contentType: 'application/vnd.docker.plugins.v1.1+json',
    answer: async (method, body) => JSON.stringify(await driver.answer(method, body)),
    refusal: ({ message }) => JSON.stringify({ Err: `overtap: ${message}` }),
  };
}
