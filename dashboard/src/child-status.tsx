import type { Child } from './contract';
import { change, count, counted, moment, words } from './format';
import { Status } from './status';
import { statusLevel } from './event-status';

interface ChildStatusProps {
  readonly child: Child;
  readonly onEvent: (conversationId: string) => void;
}

/** One child's friendship, and the conversations it is the sum of. */
export function ChildStatus({ child, onEvent }: ChildStatusProps) {
  const { friendship, events } = child;
  const now = new Date();
  return (
    <article class="story">
      {friendship === null ? (
        <p>No conversation of this child has been counted yet.</p>
      ) : (
        <>
          <div class="row spread">
            <h3 class="id">{friendship.user_id}</h3>
            <span>{words(friendship.friendship_level)}</span>
          </div>
          <dl class="pairs columns">
            <div>
              <dt>Score</dt>
              <dd>{count(friendship.friendship_score)}</dd>
            </div>
            <div>
              <dt>Streak</dt>
              <dd>{counted(friendship.streak_day, 'day')}</dd>
            </div>
            <div>
              <dt>Last conversation</dt>
              <dd>{moment(friendship.last_interaction_date, now)}</dd>
            </div>
            {Object.entries(friendship.topics).map(([topic, { score, turns, friendship_level: level }]) => (
              <div key={topic}>
                <dt>Topic {topic}</dt>
                <dd>
                  {count(score)}{' '}
                  <span class="muted">
                    in {counted(turns, 'turn')}, {words(level)}
                  </span>
                </dd>
              </div>
            ))}
          </dl>
        </>
      )}
      <h4>Last events</h4>
      <div class="wide-table" tabIndex={0} role="region" aria-label="Last events of this child">
        <table>
          <thead>
            <tr>
              <th scope="col">Conversation</th>
              <th scope="col">Status</th>
              <th scope="col" class="number">
                Change
              </th>
              <th scope="col">Accepted</th>
            </tr>
          </thead>
          <tbody>
            {events.map((event) => (
              <tr key={event.conversation_id}>
                <td>
                  <button type="button" class="link id" onClick={() => onEvent(event.conversation_id)}>
                    {event.conversation_id}
                  </button>
                </td>
                <td>
                  <Status level={statusLevel(event.status)}>{words(event.status)}</Status>
                </td>
                <td class="number">{change(event.friendship_score_change)}</td>
                <td>{moment(event.accepted_at, now)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </article>
  );
}
