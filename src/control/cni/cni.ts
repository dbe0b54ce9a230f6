/**
 * The driver for the CNI plugin: its name for ports, and the form of its answers.
 */
import type { Attachments } from '../containers/attachments.js';
import { ProtocolError } from '../containers/contract.js';
import type { Plugin } from '../containers/plugin-server.js';
import { CniDriver, failure } from './driver.js';
import { CniError } from './protocol.js';

export const CNI_PREFIX = 'ci';
/** The version of errors about calls whose version is not known. */
const OLDEST = '0.3.0';

/** @param bridge that containers join */
export function cniPlugin(bridge: string, attachments: Attachments): Plugin {
  const driver = new CniDriver(bridge, attachments);
  return {
    contentType: 'text/plain; charset=utf-8',
    answer: (method, body) => {
      if (method !== 'CNI.Call') throw new ProtocolError('this is CNI.Call, and nothing else');
      return driver.answer(body);
    },
    refusal: (error) =>
      `end 1\n${failure(error, { cniVersion: (error instanceof CniError && error.cniVersion) || OLDEST })}`,
  };
}
