/** What runs in each worker thread: see long-logs.ts. */
import { LONG_LOG_TASKS } from './long-log.tasks';

export const { prepareRequest, readMessage, digestLog } = LONG_LOG_TASKS;
