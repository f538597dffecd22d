import { statusDifferences } from './status-differences';

const STATUS = {
  friendship_score: '12',
  last_interaction_date: '2026-11-20 10:10:00+00',
  interaction_days: '{[2026-11-20,2026-11-21)}',
  topic_metrics: '{"movie": {"score": 12, "turns": 2, "agents_used": ["bot"]}}',
};
const COLUMNS = Object.keys(STATUS) as (keyof typeof STATUS)[];
const of = (stored: Partial<typeof STATUS>) =>
  statusDifferences({
    user_id: 'child',
    differing: COLUMNS.filter((column) => column in stored),
    expected: STATUS,
    stored: { ...STATUS, ...stored },
  });

describe('the differences of a status', () => {
  it('are one for each column', () => {
    expect(of({ friendship_score: '13', interaction_days: '{}' })).toEqual([
      { user_id: 'child', what: 'friendship_score', expected: '12', got: '13' },
      { user_id: 'child', what: 'interaction_days', expected: STATUS.interaction_days, got: '{}' },
    ]);
  });

  it('are one for each field of a topic, each topic too many, and each that is missing', () => {
    expect(of({ topic_metrics: '{"movie": {"score": 11, "turns": 2, "agents_used": ["x"]}, "moon": {}}' })).toEqual([
      { user_id: 'child', what: 'topic_metrics.moon', expected: null, got: '{}' },
      { user_id: 'child', what: 'topic_metrics.movie.agents_used', expected: '["bot"]', got: '["x"]' },
      { user_id: 'child', what: 'topic_metrics.movie.score', expected: '12', got: '11' },
    ]);
    expect(of({ topic_metrics: '{}' })).toEqual([
      {
        user_id: 'child',
        what: 'topic_metrics.movie',
        expected: '{"score":12,"turns":2,"agents_used":["bot"]}',
        got: null,
      },
    ]);
  });

  it('tell the whole column where no part of it tells', () => {
    const topic_metrics = '{"movie": {"score": 12.00000000000000000001, "turns": 2, "agents_used": ["bot"]}}';
    expect(of({ topic_metrics })).toEqual([
      { user_id: 'child', what: 'topic_metrics', expected: STATUS.topic_metrics, got: topic_metrics },
    ]);
  });

  it('are one for a row that is missing, and for one that should not be', () => {
    const row = JSON.stringify(STATUS);
    expect(statusDifferences({ user_id: 'child', differing: COLUMNS, expected: STATUS, stored: null })).toEqual([
      { user_id: 'child', what: 'row', expected: row, got: null },
    ]);
    expect(statusDifferences({ user_id: 'child', differing: COLUMNS, expected: null, stored: STATUS })).toEqual([
      { user_id: 'child', what: 'row', expected: null, got: row },
    ]);
  });
});
