/** What is done to a log that may be long. Arguments and results can be sent to a worker thread, hence no errors but values. */
import secureJson from 'secure-json-parse';
import { CodedError, type ErrorCode, type FieldProblem } from '../errors/coded-error';
import { digestLog, type LogDigest } from '../scoring/log-digest';
import { prepareConversation, type PreparedConversation } from './conversation-end';
import { InvalidMessage, parseConversationMessage, type ConversationMessage } from './conversation-message';

export type Refused = { readonly code: ErrorCode; readonly detail: string; readonly fields: readonly FieldProblem[] };

export interface LongLogTasks {
  /** @param body of a request, as bytes */
  readonly prepareRequest: (task: { body: Uint8Array; now: Date }) => PreparedConversation | { refused: Refused };
  readonly readMessage: (task: {
    body: Uint8Array;
    now: Date;
    sizeLimit: number;
  }) => ConversationMessage | { invalid: string };
  readonly digestLog: (task: { json: string; mostChars: number }) => LogDigest;
}

export const LONG_LOG_TASKS: LongLogTasks = {
  prepareRequest({ body, now }) {
    const value = parse(body);
    if (value === undefined) return refused('MALFORMED_JSON', 'Expected a JSON object; the body could not be parsed.');
    try {
      return prepareConversation(value, now);
    } catch (error) {
      if (error instanceof CodedError) return refused(error.code, error.message, error.fields);
      throw error;
    }
  },

  readMessage({ body, now, sizeLimit }) {
    try {
      return parseConversationMessage(Buffer.from(body.buffer, body.byteOffset, body.byteLength), sizeLimit, now);
    } catch (error) {
      if (error instanceof InvalidMessage) return { invalid: error.message };
      throw error;
    }
  },

  digestLog: ({ json, mostChars }) => digestLog(json, mostChars),
};

/** As Fastify parses shorter bodies. */
function parse(body: Uint8Array): unknown {
  try {
    return secureJson.parse(new TextDecoder().decode(body), { protoAction: 'error', constructorAction: 'error' });
  } catch {
    return undefined;
  }
}

function refused(code: ErrorCode, detail: string, fields: readonly FieldProblem[] = []): { refused: Refused } {
  return { refused: { code, detail, fields } };
}
