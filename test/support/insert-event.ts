import { randomBytes } from 'node:crypto';
import type { Namespace } from './namespace';

const LOG = JSON.stringify([
  { speaker: 'pika', turn_id: 1, text: 'a', timestamp: 'x' },
  { speaker: 'user', turn_id: 2, text: 'b', timestamp: 'x' },
]);

/** Stores an event of one turn without queueing it; any column may be given. @returns its id */
export async function insertEvent(
  { database }: Namespace,
  userId: string,
  columns: Record<string, unknown> = {},
): Promise<string> {
  const row: Record<string, unknown> = {
    conversation_id: `conv-${randomBytes(6).toString('hex')}`,
    user_id: userId,
    bot_id: 'bot',
    bot_name: 'Bot',
    bot_type: 'TALK',
    start_time: '2026-11-20T10:00Z',
    end_time: '2026-11-20T10:10Z',
    conversation_log: LOG,
    fingerprint: Buffer.alloc(32),
    ...columns,
  };
  const names = Object.keys(row);
  await database.query(
    `INSERT INTO conversation_events (${names.join(', ')}) VALUES (${names.map((_, index) => `$${index + 1}`).join(', ')})`,
    Object.values(row),
  );
  return String(row.conversation_id);
}
