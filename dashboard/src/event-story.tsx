import type { ScoreBreakdown } from '../../src/scoring/score-breakdown';
import type { Story } from './contract';
import { change, count, counted, moment, words } from './format';
import { Status } from './status';
import { statusLevel } from './event-status';

interface EventStoryProps {
  readonly story: Story;
  readonly onChild: (userId: string) => void;
}

/** Why this score, and everything that happened on the way to it. */
export function EventStory({ story, onChild }: EventStoryProps) {
  const { event, timeline, suspect_count: suspected } = story;
  const now = new Date();
  return (
    <article class="story">
      <div class="row spread">
        <h3 class="id">{event.conversation_id}</h3>
        <Status level={statusLevel(event.status)}>{words(event.status)}</Status>
      </div>
      <dl class="pairs columns">
        <div>
          <dt>Child</dt>
          <dd>
            <button type="button" class="link id" onClick={() => onChild(event.user_id)}>
              {event.user_id}
            </button>
          </dd>
        </div>
        <div>
          <dt>Bot</dt>
          <dd>
            <span class="id">{event.bot_id}</span> <span class="muted">{event.bot_type}</span>
          </dd>
        </div>
        <div>
          <dt>Accepted</dt>
          <dd>{moment(event.accepted_at, now)}</dd>
        </div>
        <div>
          <dt>Processed</dt>
          <dd>{event.processed_at === null ? 'not yet' : moment(event.processed_at, now)}</dd>
        </div>
        <div>
          <dt>Attempts</dt>
          <dd>{count(event.attempt_count)}</dd>
        </div>
        <div>
          <dt>Last error</dt>
          <dd>{event.error_code === null ? 'none' : <code>{event.error_code}</code>}</dd>
        </div>
        <div>
          <dt>Topic</dt>
          <dd>{event.topic_id ?? 'none'}</dd>
        </div>
        {suspected > 0 && (
          <div>
            <dt>Suspected of ending a worker</dt>
            <dd>{counted(suspected, 'time')}</dd>
          </div>
        )}
      </dl>
      <div class="columns two">
        <div>
          <h4>Why this score</h4>
          {event.score_breakdown === null ? (
            <p class="muted">Not scored.</p>
          ) : (
            <Score breakdown={event.score_breakdown} />
          )}
        </div>
        <div>
          <h4>What happened</h4>
          <ol class="timeline">
            {timeline.map(({ at, what, detail }, index) => (
              <li key={index}>
                <time dateTime={at}>{moment(at, now)}</time>
                <span>
                  {words(what)}
                  {detail !== null && <span class="muted"> {detail}</span>}
                </span>
              </li>
            ))}
          </ol>
        </div>
      </div>
    </article>
  );
}

function Score({ breakdown }: { readonly breakdown: ScoreBreakdown }) {
  const { sources } = breakdown;
  const rows = [
    ['Turns', count(breakdown.total_turns), breakdown.turns_score, 'conversation'],
    [
      'Questions asked by the child',
      count(breakdown.user_initiated_questions),
      breakdown.questions_score,
      sources.user_initiated_questions,
    ],
    ['Mood', breakdown.session_emotion, breakdown.emotion_score, sources.session_emotion],
    ['New memories', count(breakdown.new_memories_count), breakdown.memories_score, sources.new_memories_count],
  ] as const;
  return (
    <>
      <div class="wide-table">
        <table>
          <thead>
            <tr>
              <th scope="col">Component</th>
              <th scope="col">Counted</th>
              <th scope="col">From</th>
              <th scope="col" class="number">
                Points
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(([name, value, points, source]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{value}</td>
                <td>{source}</td>
                <td class="number">{change(points)}</td>
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row" colSpan={3}>
                Change of the score
              </th>
              <td class="number">{change(breakdown.friendship_score_change)}</td>
            </tr>
          </tfoot>
        </table>
      </div>
      <p class="muted">Rules {breakdown.rule_version}; never below 0.</p>
    </>
  );
}
