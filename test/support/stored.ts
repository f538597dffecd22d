import type { Namespace } from './namespace';
import { until } from './until';

export type Row = Record<string, unknown>;

/** The event as it stands in PostgreSQL. */
export async function storedEvent({ database }: Namespace, conversationId: string): Promise<Row | undefined> {
  const { rows } = await database.query('SELECT * FROM conversation_events WHERE conversation_id = $1', [
    conversationId,
  ]);
  return rows[0] as Row | undefined;
}

/** Waits until the event is no longer PENDING. */
export function settledEvent(namespace: Namespace, conversationId: string): Promise<Row> {
  return until(`${conversationId} to be settled`, async () => {
    const row = await storedEvent(namespace, conversationId);
    return row && row.status !== 'PENDING' ? row : undefined;
  });
}
