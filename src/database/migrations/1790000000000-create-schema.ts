import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Indexes cost on every message (two more on `conversation_events` cost 20 to 28 % of throughput), so there are three, and
 * none contains a column that processing changes: updates stay heap-only. `publish_due_at` is set on few rows.
 */
export class CreateSchema1790000000000 implements MigrationInterface {
  readonly name = CreateSchema1790000000000.name;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE conversation_events (
        conversation_id varchar(255) COLLATE "C" PRIMARY KEY
          CHECK (conversation_id ~ '^[!-~]{3,255}$'),
        user_id varchar(255) COLLATE "C" NOT NULL
          CHECK (user_id ~ '^[!-~]{3,255}$'),
        bot_id varchar(255) NOT NULL CHECK (bot_id <> ''),
        bot_name varchar(255) NOT NULL CHECK (bot_name <> ''),
        bot_type varchar(50) NOT NULL,
        agent_tag varchar(255),
        start_time timestamptz(3) NOT NULL,
        end_time timestamptz(3) NOT NULL,
        conversation_log json,
        user_initiated_questions integer CHECK (user_initiated_questions BETWEEN 0 AND 1000),
        session_emotion varchar(50),
        new_memories_count integer CHECK (new_memories_count BETWEEN 0 AND 1000),
        fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
        status varchar(16) NOT NULL DEFAULT 'PENDING'
          CHECK (status IN ('PENDING', 'PROCESSED', 'SKIPPED', 'FAILED')),
        attempt_count integer NOT NULL DEFAULT 0 CHECK (attempt_count >= 0),
        first_error_code varchar(64),
        last_error_code varchar(64),
        accepted_at timestamptz(3) NOT NULL DEFAULT now(),
        processed_at timestamptz(3),
        friendship_score_change numeric CHECK (friendship_score_change >= 0),
        analysis jsonb CHECK (jsonb_typeof(analysis) = 'object'),
        score_breakdown jsonb,
        rule_version varchar(64),
        topic_id varchar(255) COLLATE "C",
        business_day date,
        publish_due_at timestamptz(3),
        publish_count integer NOT NULL DEFAULT 0,
        CHECK (end_time > start_time),
        CHECK (status <> 'PROCESSED' OR (friendship_score_change IS NOT NULL AND score_breakdown IS NOT NULL
               AND rule_version IS NOT NULL AND business_day IS NOT NULL AND processed_at IS NOT NULL))
      );
      CREATE INDEX conversation_events_by_time ON conversation_events (accepted_at, conversation_id);
      CREATE INDEX conversation_events_by_user ON conversation_events (user_id, accepted_at, conversation_id);
      CREATE INDEX conversation_events_to_publish ON conversation_events (publish_due_at) WHERE publish_due_at IS NOT NULL;

      CREATE TABLE friendship_status (
        user_id varchar(255) COLLATE "C" PRIMARY KEY,
        friendship_score numeric NOT NULL CHECK (friendship_score >= 0),
        last_interaction_date timestamptz(3) NOT NULL,
        interaction_days datemultirange NOT NULL,
        topic_metrics jsonb NOT NULL CHECK (jsonb_typeof(topic_metrics) = 'object'),
        updated_at timestamptz(3) NOT NULL
      ) WITH (fillfactor = 70);

      CREATE TABLE topic_agents (
        agent_tag varchar(255) COLLATE "C" PRIMARY KEY CHECK (agent_tag <> ''),
        topic_id varchar(255) COLLATE "C" NOT NULL CHECK (topic_id <> '')
      );

      CREATE TABLE dead_letters (
        dead_letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        delivery_key varchar(128) NOT NULL UNIQUE,
        conversation_id varchar(255) COLLATE "C",
        settles_event boolean NOT NULL,
        reason varchar(64) NOT NULL,
        error_code varchar(64),
        attempts integer NOT NULL,
        first_failed_at timestamptz(3),
        last_failed_at timestamptz(3) NOT NULL,
        exchange varchar(255) NOT NULL,
        routing_key varchar(255) NOT NULL,
        message_id varchar(255) COLLATE "C",
        body bytea,
        recorded_at timestamptz(3) NOT NULL DEFAULT now(),
        state varchar(16) NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'REPLAYING', 'REPLAYED', 'DISCARDED')),
        settled_at timestamptz(3),
        note varchar(1000),
        publish_due_at timestamptz(3),
        CHECK ((state = 'OPEN') = (settled_at IS NULL)),
        CHECK ((state = 'REPLAYING') = (publish_due_at IS NOT NULL)),
        CHECK (state <> 'REPLAYING' OR body IS NOT NULL)
      );
      CREATE UNIQUE INDEX dead_letters_settling_event ON dead_letters (conversation_id)
        WHERE settles_event AND state IN ('OPEN', 'DISCARDED');
      CREATE INDEX dead_letters_to_publish ON dead_letters (publish_due_at) WHERE publish_due_at IS NOT NULL;

      CREATE TABLE tombstones (
        key_hash bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),
        erased_at timestamptz(3) NOT NULL
      );

      CREATE TABLE suspect_messages (
        message_key char(43) COLLATE "C" PRIMARY KEY,
        starts integer NOT NULL CHECK (starts > 0),
        last_started_at timestamptz(3) NOT NULL
      );

      CREATE TABLE positions (
        name varchar(16) PRIMARY KEY,
        reached timestamptz(3) NOT NULL
      );

      CREATE TABLE audits (
        audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        ended_at timestamptz(3) NOT NULL DEFAULT now(),
        users bigint NOT NULL,
        events bigint NOT NULL,
        differences bigint NOT NULL
      );
      INSERT INTO positions VALUES ('swept', '-infinity'), ('swept analysis', '-infinity'), ('purged', '-infinity');
    `);
    for (const [column, comment] of Object.entries(COMMENTS)) {
      await runner.query(`COMMENT ON COLUMN ${column} IS '${comment.replaceAll("'", "''")}'`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'DROP TABLE audits, positions, suspect_messages, tombstones, dead_letters, topic_agents, friendship_status, conversation_events',
    );
  }
}

const COMMENTS: Record<string, string> = {
  'conversation_events.conversation_id': 'Chosen by the backend; the key of exactly-once',
  'conversation_events.user_id': 'The child',
  'conversation_events.agent_tag': 'Looked up in topic_agents when the event is processed',
  'conversation_events.conversation_log': 'Normalised lines {speaker, turn_id, text, timestamp}; null once purged',
  'conversation_events.user_initiated_questions': 'As sent in metadata; null: not sent',
  'conversation_events.session_emotion': 'As sent in metadata; null: not sent',
  'conversation_events.new_memories_count': 'As sent in metadata; null: not sent',
  'conversation_events.fingerprint': 'SHA-256 of the normalised request; tells a repeated post from a conflicting one',
  'conversation_events.status': 'PENDING until it is PROCESSED, SKIPPED or FAILED',
  'conversation_events.attempt_count': 'Attempts that ended, the successful one included',
  'conversation_events.first_error_code': 'Code of the first failed attempt; never a message',
  'conversation_events.last_error_code': 'Code of the last failed attempt; never a message',
  'conversation_events.accepted_at': 'When the event was stored; critical time starts here',
  'conversation_events.processed_at': 'When the event was counted or skipped',
  'conversation_events.friendship_score_change': 'What the event added to the score',
  'conversation_events.analysis':
    'What external services answered, by their names: numbers and words of a closed set, no text',
  'conversation_events.score_breakdown': 'Every component of the score and where it came from; no text',
  'conversation_events.rule_version': 'The rule set that scored the event',
  'conversation_events.topic_id': 'The topic found when the event was processed; null: none',
  'conversation_events.business_day': 'The day of end_time in BUSINESS_TIME_ZONE when the event was processed',
  'conversation_events.publish_due_at': 'Not known to be queued: publish at this time; null: nothing to do',
  'conversation_events.publish_count': 'How often the sweeper published the event',
  'friendship_status.friendship_score': "Sum of the changes of the user's processed events",
  'friendship_status.last_interaction_date': 'Latest end time of those events',
  'friendship_status.interaction_days': 'Union of their business days',
  'friendship_status.topic_metrics': 'By topic: score, turns, last_date, agents_used (sorted, distinct)',
  'topic_agents.agent_tag': 'Tag that an event carries',
  'topic_agents.topic_id': 'Topic that it stands for',
  'dead_letters.conversation_id': 'Where it could be read from the message',
  'dead_letters.delivery_key': 'Makes recording idempotent: the same dead letter delivered twice is recorded once',
  'dead_letters.settles_event':
    'This entry is what became of the event (its row is FAILED); at most one per event that is not replayed',
  'dead_letters.reason': 'Why it was dead-lettered',
  'dead_letters.error_code': 'Code of the last failure, where there was one',
  'dead_letters.message_id': 'As its sender named the message, if that is visible ASCII',
  'dead_letters.body': 'The message byte for byte; null once purged',
  'tombstones.key_hash': 'HMAC-SHA256, under ERASURE_KEY, of an erased user or conversation id',
  'tombstones.erased_at': 'What ended up to this time stays erased',
  'suspect_messages.message_key': 'SHA-256 of the id of a redelivered message, or of its body if it has none',
  'suspect_messages.starts': 'How often work on it began and did not end; cleared when it ends',
  'positions.reached':
    'swept, swept analysis (the lane): events accepted up to here were looked at (settled, queued again, or marked); purged: when texts were last purged',
  'audits.differences': 'Found by one audit of all users between statuses and events',
  'dead_letters.state':
    'OPEN until it is discarded or replayed; REPLAYING until the broker has confirmed the message, where it is published again',
  'dead_letters.settled_at': 'When an operator replayed or discarded it',
  'dead_letters.note': 'Why it was discarded, as the operator put it',
  'dead_letters.publish_due_at': 'REPLAYING: publish the body at this time',
};
