/** Conversations for tests. */
let next = 0;

/** A valid body of `conversations/end` with an id of its own; any field may be given. */
export function conversation(
  fields: Record<string, unknown> = {},
): Record<string, unknown> & { conversation_id: string } {
  next++;
  return {
    conversation_id: `conv-${process.pid}-${next}`,
    user_id: 'child-1',
    bot_id: 'bot-1',
    bot_name: 'Dino',
    bot_type: 'TALK',
    start_time: '2026-11-20T10:00:00Z',
    end_time: '2026-11-20T10:10:00Z',
    conversation_log: turns(3),
    ...fields,
  };
}

/** A log of this many turns, in the shape of the robot's backend. */
export function turns(count: number): { character: string; content: string }[] {
  return Array.from({ length: count }, (_, index) => [
    { character: 'BOT_RESPONSE_CONVERSATION', content: `<happy/> Question ${index}?` },
    { character: 'USER', content: `Answer ${index}.` },
  ]).flat();
}
